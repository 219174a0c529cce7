import Testing

@testable import UserPages

/// What a layout says, as values: all three can be looked at side by side, whichever is compiled in.
struct LayoutTable: Sendable, CustomTestStringConvertible {
  /// A property and its place.
  struct Property: Sendable {
    let name: String
    let bit: PTEBit
  }

  let name: String
  let present: PTEBit
  let protnone: PTEBit
  let writable: PTEBit
  let accessed: PTEBit
  let dirty: PTEBit
  let huge: PTEBit
  let special: PTEBit
  let anonymous: PTEBit
  let cowShared: PTEBit
  let neverSlotPinned: PTEBit
  let pfnShift: UInt64
  let pfnMask: UInt64
  let nonPresent: UInt64
  let kindShift: UInt64
  let linkMark: UInt64
  let linkMask: UInt64
  let linkAddressMask: UInt64

  init<Layout: LayoutUnderTest>(_ name: String, _: Layout.Type) {
    self.name = name
    present = Layout.present
    protnone = Layout.protnone
    writable = Layout.writable
    accessed = Layout.accessed
    dirty = Layout.dirty
    huge = Layout.huge
    special = Layout.special
    anonymous = Layout.anonymous
    cowShared = Layout.cowShared
    neverSlotPinned = Layout.neverSlotPinned
    pfnShift = Layout.pfnShift
    pfnMask = Layout.pfnMask
    nonPresent = Layout.nonPresent
    kindShift = Layout.kindShift
    linkMark = Layout.linkMark
    linkMask = Layout.linkMask
    linkAddressMask = Layout.linkAddressMask
  }

  var testDescription: String { name }

  static let all = [
    LayoutTable("x86-64", PTELayoutX8664.self), LayoutTable("s390", PTELayoutS390.self),
    LayoutTable("powerpc", PTELayoutPowerPC.self),
  ]

  /// The properties that an entry has or lacks, each by itself.
  var flags: [Property] {
    [
      Property(name: "writable", bit: writable), Property(name: "accessed", bit: accessed),
      Property(name: "dirty", bit: dirty), Property(name: "huge", bit: huge), Property(name: "special", bit: special),
      Property(name: "anonymous", bit: anonymous), Property(name: "cowShared", bit: cowShared),
      Property(name: "neverSlotPinned", bit: neverSlotPinned),
    ]
  }

  /// Whether an entry maps a frame: the two ways.
  var states: [Property] { [Property(name: "present", bit: present), Property(name: "protnone", bit: protnone)] }

  /// Frame numbers worth trying: none, all, each single bit.
  var frameNumbers: [UInt64] {
    let all = pfnMask >> pfnShift
    return [0, all] + (0..<UInt64(all.nonzeroBitCount)).map { 1 << $0 }
  }

  /// An entry that maps a frame and has just the flags that `choice` has a 1 for.
  func entry(_ state: PTEBit, frame: UInt64, choice: Int) -> UInt64 {
    var word = put(state, into: frame << pfnShift)
    for (index, flag) in flags.enumerated() {
      word = choice >> index & 1 == 1 ? put(flag.bit, into: word) : take(flag.bit, from: word)
    }
    return word
  }

  /// Every combination of flags on every kind of mapped entry, with each of some frame numbers.
  func forEachEntry(frames: [UInt64], _ body: (_ word: UInt64, _ state: Property, _ choice: Int) -> Void) {
    for state in states {
      for frame in frames {
        for choice in 0..<1 << flags.count { body(entry(state.bit, frame: frame, choice: choice), state, choice) }
      }
    }
  }

  /// An entry of a kind that maps nothing.
  func nonPresent(kind: UInt64, payload: UInt64) -> UInt64 { nonPresent | kind << kindShift | payload << pfnShift }

  func put(_ bit: PTEBit, into word: UInt64) -> UInt64 { word & ~bit.mask | bit.yes }
  func take(_ bit: PTEBit, from word: UInt64) -> UInt64 { word & ~bit.mask | bit.no }
  func has(_ bit: PTEBit, _ word: UInt64) -> Bool { word & bit.mask == bit.yes }
  func isMapped(_ word: UInt64) -> Bool { has(present, word) || has(protnone, word) }
  func isLink(_ word: UInt64) -> Bool { word & linkMask == linkMark }
}

/// The shape of a layout, for these tests alone: the library names the one it is compiled with.
protocol LayoutUnderTest {
  static var present: PTEBit { get }
  static var protnone: PTEBit { get }
  static var writable: PTEBit { get }
  static var accessed: PTEBit { get }
  static var dirty: PTEBit { get }
  static var huge: PTEBit { get }
  static var special: PTEBit { get }
  static var anonymous: PTEBit { get }
  static var cowShared: PTEBit { get }
  static var neverSlotPinned: PTEBit { get }
  static var pfnShift: UInt64 { get }
  static var pfnMask: UInt64 { get }
  static var nonPresent: UInt64 { get }
  static var kindShift: UInt64 { get }
  static var linkMark: UInt64 { get }
  static var linkMask: UInt64 { get }
  static var linkAddressMask: UInt64 { get }
}

extension PTELayoutX8664: LayoutUnderTest {}
extension PTELayoutS390: LayoutUnderTest {}
extension PTELayoutPowerPC: LayoutUnderTest {}
