import Synchronization

/// The stripes that keep their node when nothing is mapped in them any more: one for each slot.
///
/// A stripe's node is the one that maps the stripe and nothing else. A program that maps and unmaps in a stripe that is
/// empty otherwise would make the node anew each time. It would also write the link to it each time, on a line that
/// threads in seven other stripes read. So the first stripe of a slot that becomes vacant keeps its node until an
/// operation on the whole space finds it vacant: an exit, the space's end. That is 64 nodes of 4 KiB at most.
///
/// The nodes below go as ever: whether one is there decides which entries a program gets.
final class StripeNodes: Sendable {
  // The number of the stripe, and one; 0 for none yet. Read and written under the slot's lock, held for writing.
  private let kept = InlineArray<64, Atomic<UInt64>> { _ in Atomic(0) }

  init() { precondition(kept.count == Stripe.slots) }

  /// Whether the stripe of `address` keeps its node.
  ///
  /// - Precondition: the caller holds the stripe's lock for writing.
  func keepsNode(ofStripeAt address: VirtualAddress) -> Bool {
    let slot = Stripe.slot(of: address)
    let stripe = address.rawValue / Stripe.size + 1
    let first = kept[slot].load(ordering: .relaxed)
    if first == 0 { kept[slot].store(stripe, ordering: .relaxed) }
    return first == 0 || first == stripe
  }
}
