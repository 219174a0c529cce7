/// Operations on a range of addresses, for callers that have one: a line of `mapping(at:)`, two symbols of a program.
///
/// Each is the operation on an address and a number of pages, and throws the same errors. It also throws
/// `invalidArgument` if the range does not begin and end with a page. Pins and gets of ranges are in
/// `AddressSpace+PinRange.swift`.
extension AddressSpace {
  /// Maps exactly `range`.
  ///
  /// See `map(at:pages:protection:sharing:backing:offset:hugePages:replaces:)`.
  public func map(
    _ range: Range<VirtualAddress>, protection: Protection, sharing: Sharing = .private,
    backing kind: MappingKind = .anonymous, offset: Int = 0, hugePages: Bool? = nil,
    replaces: Bool = true
  ) throws(PageError) {
    try map(
      at: range.lowerBound, pages: try range.pageCount(), protection: protection, sharing: sharing, backing: kind,
      offset: offset, hugePages: hugePages, replaces: replaces)
  }

  /// Unmaps a range. See `unmap(at:pages:)`.
  public func unmap(_ range: Range<VirtualAddress>) throws(PageError) {
    try unmap(at: range.lowerBound, pages: try range.pageCount())
  }

  /// Moves or resizes the mapping of `range` to exactly `newRange`.
  ///
  /// If `range` is empty, a shared mapping is duplicated. See `remap(at:pages:to:newPages:unmapsOldRange:)`.
  public func remap(
    _ range: Range<VirtualAddress>, to newRange: Range<VirtualAddress>, unmapsOldRange: Bool = true
  ) throws(PageError) {
    try remap(
      at: range.lowerBound, pages: try range.pageCount(), to: newRange.lowerBound, newPages: try newRange.pageCount(),
      unmapsOldRange: unmapsOldRange)
  }

  /// Changes what a program may do with a range. See `protect(at:pages:_:)`.
  public func protect(_ range: Range<VirtualAddress>, _ protection: Protection) throws(PageError) {
    try protect(at: range.lowerBound, pages: try range.pageCount(), protection)
  }

  /// Gives advice about a range. See `advise(at:pages:_:)`.
  public func advise(_ range: Range<VirtualAddress>, _ advice: Advice) throws(PageError) {
    try advise(at: range.lowerBound, pages: try range.pageCount(), advice)
  }

  /// Locks a range in memory. See `lock(at:pages:)`.
  public func lock(_ range: Range<VirtualAddress>) throws(PageError) {
    try lock(at: range.lowerBound, pages: try range.pageCount())
  }

  /// Unlocks a range. See `unlock(at:pages:)`.
  public func unlock(_ range: Range<VirtualAddress>) throws(PageError) {
    try unlock(at: range.lowerBound, pages: try range.pageCount())
  }

  /// Seals a range. See `seal(at:pages:)`.
  public func seal(_ range: Range<VirtualAddress>) throws(PageError) {
    try seal(at: range.lowerBound, pages: try range.pageCount())
  }
}
