import Synchronization

/// The stripes that keep their node when nothing is mapped in them any more: one for each slot.
///
/// A stripe's node is the one that maps the stripe and nothing else. A program may map and unmap again and again in a
/// stripe that is empty otherwise. It would make the node anew each time. It would also write the link to it each time,
/// on a line that threads in seven other stripes read. So the first stripe of a slot that becomes vacant keeps its
/// node. An operation on the whole space that finds it vacant takes the node away: an exit, or the space's end. That is
/// 64 nodes of 4 KiB at most.
///
/// The nodes below go as ever: whether one is there decides which entries a program gets.
final class StripeNodes: Sendable {
  // The number of the stripe, plus one. 0 stands for none yet. Read and written under the slot's lock, held for
  // writing.
  private let kept = InlineArray<64, Atomic<UInt64>> { _ in Atomic(0) }

  init() { precondition(kept.count == Stripe.slots) }

  /// Whether the stripe of `address`, which is all that `writer` is for, keeps its node.
  func keepsNode(ofStripeAt address: VirtualAddress, _ writer: borrowing MmapWriter) -> Bool {
    let slot = Stripe.slot(of: address)
    let stripe = address.rawValue / Stripe.size + 1
    let first = kept[slot].load(ordering: .relaxed)
    if first == 0 { kept[slot].store(stripe, ordering: .relaxed) }
    return first == 0 || first == stripe
  }
}
