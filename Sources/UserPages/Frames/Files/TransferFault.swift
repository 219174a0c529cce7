/// A transfer between a file and frames, as the kernel is asked for it.
struct Transfer: Equatable, Sendable {
  let page: Int
  let pageCount: Int
  let isWrite: Bool
  /// Whether it is one of many that a ring has under way.
  let isTogether: Bool
}

/// What a test makes of one transfer. Its beginning is transferred, and its completion says something else.
struct TransferFault: Sendable {
  /// Bytes that are transferred, from the start. A multiple of 512, as direct transfers are.
  let transferring: Int
  /// What the completion says: bytes, or a negated errno.
  let result: Int
}

/// Asked before each transfer, and for each completion of a ring. It returns nil to let it be. A file that has none
/// pays a comparison each call.
typealias TransferFaults = @Sendable (Transfer) -> TransferFault?
