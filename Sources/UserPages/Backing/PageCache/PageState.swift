/// What a page cache knows of one page: a word of its index.
///
///     empty     no frame. The word may say when the page was evicted.
///     reading   one thread reads the page from the store, or moves it to another frame; the others wait for it
///     present   a frame, with one reference of the cache's
///     evicting  the same frame: the evictor is about to take it away, any other thread may rescue it
///
///     empty    -> reading                 a fault, a read-ahead
///     reading  -> present                 the page was read; -> empty: it could not be
///     present  -> present                 marks: dirty, under write-back, copied, referenced, read ahead, trigger
///     present  -> evicting                the evictor, if no mark but `referenced` is set
///     evicting -> present                 a fault that needs the page, a store that is about to come, the evictor if it is held
///     evicting -> empty                   the evictor
///     evicting -> reading                 a move to another frame
///     present, evicting -> empty          truncate, hole punch
///
/// Bits 0...1 are the kind, 2...7 the marks, the rest is the frame's number, or of an empty page the number of the
/// eviction.
struct PageState: RawRepresentable, Equatable, Sendable {
  enum Kind: UInt64 { case empty, reading, present, evicting }

  let rawValue: UInt64

  /// Stores may have landed, or may land at any moment, that the store does not have.
  static let dirtyMark: UInt64 = 1 << 2
  /// The write-back that cleared `dirtyMark` is not over.
  static let writeBackMark: UInt64 = 1 << 3
  /// `read` or `write` used the page since the evictor last looked, or it was read ahead.
  static let referencedMark: UInt64 = 1 << 4
  /// The page was read before a thread asked for it, and none has asked since.
  static let aheadMark: UInt64 = 1 << 5
  /// The first look-up of the page has the next window of its stream read (`PG_readahead`).
  static let triggerMark: UInt64 = 1 << 6
  /// The write-back that is not over writes a copy, so the page may change (`PageCache.Stability`).
  static let copiedMark: UInt64 = 1 << 7
  private static let payloadShift: UInt64 = 8

  static let reading = PageState(rawValue: Kind.reading.rawValue)

  init(rawValue: UInt64) { self.rawValue = rawValue }

  private init(_ kind: Kind, payload: UInt64) { rawValue = kind.rawValue | payload << Self.payloadShift }

  /// A clean page in `pfn`.
  static func present(_ pfn: PFN) -> PageState { PageState(.present, payload: pfn.rawValue) }

  /// A page that the eviction with this number took away. 0 for a page that never was evicted.
  static func empty(evictedBy number: UInt64) -> PageState { PageState(.empty, payload: number) }

  var kind: Kind {
    guard let kind = Kind(rawValue: rawValue & 3) else { preconditionFailure("two bits have four values") }
    return kind
  }

  /// The frame of a page that is present or being evicted.
  var pfn: PFN? { kind == .present || kind == .evicting ? PFN(rawValue >> Self.payloadShift) : nil }

  /// Whether an empty page was evicted.
  var wasEvicted: Bool { kind == .empty && rawValue >> Self.payloadShift != 0 }

  /// The marks that are set.
  var marks: UInt64 { rawValue & ((1 << Self.payloadShift) - 1) & ~3 }

  var isDirty: Bool { rawValue & Self.dirtyMark != 0 }
  var isUnderWriteBack: Bool { rawValue & Self.writeBackMark != 0 }
  /// Whether a write-back is still to write the page from where it lies.
  var needsContents: Bool { rawValue & (Self.writeBackMark | Self.copiedMark) == Self.writeBackMark }
  var isReferenced: Bool { rawValue & Self.referencedMark != 0 }
  var isAhead: Bool { rawValue & Self.aheadMark != 0 }
  var isTrigger: Bool { rawValue & Self.triggerMark != 0 }

  func with(_ marks: UInt64) -> PageState { PageState(rawValue: rawValue | marks) }
  func without(_ marks: UInt64) -> PageState { PageState(rawValue: rawValue & ~marks) }

  /// The same page, back from the evictor.
  var rescued: PageState { PageState(rawValue: rawValue & ~3 | Kind.present.rawValue) }

  /// The state of a page that is in memory, after a look-up: back from the evictor, and no longer only read ahead. A
  /// page that is in steady use has this state already.
  var used: PageState { rescued.without(Self.aheadMark | Self.triggerMark) }

  /// The state of the page in the evictor's hands, if it may get there: nil unless the page is clean and in memory.
  var evictable: PageState? {
    kind == .present && !isDirty && !isUnderWriteBack ? without(Self.referencedMark).beingEvicted : nil
  }

  /// The same page without its frame, with its marks, until it has another one.
  var beingRead: PageState { PageState(rawValue: Kind.reading.rawValue | marks) }

  /// The same page in the evictor's hands.
  var beingEvicted: PageState { PageState(rawValue: rawValue & ~3 | Kind.evicting.rawValue) }
}
