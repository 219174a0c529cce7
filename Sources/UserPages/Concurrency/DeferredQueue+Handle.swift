extension DeferredQueue {
  /// The queue, for users that its owner outlives.
  ///
  /// A trivial value: a call through it writes no reference count, a line that all threads that fault or unmap would
  /// share.
  struct Handle: Sendable {
    private let queue: Unmanaged<DeferredQueue>

    init(_ queue: DeferredQueue) { self.queue = .passUnretained(queue) }

    func enqueue(_ word: DeferredWord) { queue._withUnsafeGuaranteedRef { $0.enqueue(word) } }
    var isAnythingPending: Bool { queue._withUnsafeGuaranteedRef { $0.isAnythingPending } }
    func waitingWords() -> [DeferredWord] { queue._withUnsafeGuaranteedRef { $0.waitingWords() } }
    var freedCount: Int { queue._withUnsafeGuaranteedRef { $0.freedCount } }
    var isReleasing: Bool { queue._withUnsafeGuaranteedRef { $0.isReleasing } }
    func drainIfFull() { queue._withUnsafeGuaranteedRef { $0.drainIfFull() } }
    func reclaim() { queue._withUnsafeGuaranteedRef { $0.reclaim() } }
    @discardableResult func drain() -> Bool { queue._withUnsafeGuaranteedRef { $0.drain() } }
    func drainAll() { queue._withUnsafeGuaranteedRef { $0.drainAll() } }

    /// Memory for a published value.
    func takePublishedCell() -> UnsafeMutableRawPointer {
      queue._withUnsafeGuaranteedRef { $0.takePublishedCell() }
    }

    /// A node of a `COWBTree` with unspecified contents.
    func takeTreeNode() -> UnsafeMutableRawPointer {
      queue._withUnsafeGuaranteedRef { $0.treeNodes.take() ?? $0.treeNodes.make() }
    }

    /// Takes a node back that no reader can be in.
    func freeTreeNode(_ node: UnsafeMutableRawPointer) { queue._withUnsafeGuaranteedRef { $0.treeNodes.free(node) } }
  }
}
