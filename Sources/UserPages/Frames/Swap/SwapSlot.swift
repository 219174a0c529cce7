/// The number of a page's place in the swap file, from 0.
struct SwapSlot: Hashable, Comparable, Sendable, CustomStringConvertible {
  let rawValue: UInt32

  init(_ number: Int) { rawValue = UInt32(number) }

  var index: Int { Int(rawValue) }

  static func < (left: SwapSlot, right: SwapSlot) -> Bool { left.rawValue < right.rawValue }

  var description: String { "swap slot \(rawValue)" }
}

/// What is known of a slot. Guarded by the area's monitor.
///
///     free      -> cached     page-out: the first entry that leads here, and the frame that it led to
///     cached    -> queued     page-out: nobody else has the frame; the writer may copy it
///     queued    -> writing    the writer has copied it
///     writing   -> written    the file has it; the frame goes unless somebody maps it
///     writing   -> cached     the file could not be written; memory keeps it
///     any       -> free       no entry leads here, nobody holds the slot, and the writer is done with it
///
/// The frame and the file: whoever comes back for the page while `frame` is set takes that frame, and nothing is read. Where it
/// is nil and an entry leads here, the file has the contents.
struct SwapSlotState {
  enum Writing {
    case idle, queued, underWay
  }

  /// Page-table entries that lead here (Linux's `swap_map`).
  var users: Int32 = 0
  /// Faults that read from here, page-outs that are not over: the slot is not used for another page meanwhile.
  var holds: Int32 = 0
  /// The frame that has the contents (Linux's swap cache): one reference of it is the slot's. Nobody writes to it: it is mapped
  /// nowhere, or read-only by those who share it.
  var frame: PFN?
  var writing = Writing.idle
  /// Whether the file has the contents.
  var isWritten = false
  /// The checksum of what was written.
  var checksum: UInt64 = 0

  var isFree: Bool { users == 0 && holds == 0 && writing == .idle }
}
