/// A range of RAM that has descriptors but is mapped by frame number, as `/dev/mem` is.
///
/// No mapping counts a reference here, although it could. A program that maps a device by number says so, and the
/// special bit in the entry keeps the promise.
public final class DeviceRange: Backing {
  private let section: MemorySection

  /// A zero-filled range of `pages` pages.
  ///
  /// - Throws:
  ///   - `invalidArgument` if `pages` is not positive.
  ///   - `outOfMemory` if there are not as many frame numbers.
  public init(_ memory: PhysicalMemory, pages: Int) throws(PageError) {
    section = try MemorySection.device(memory, pages: pages)
  }

  public var pageCount: Int { section.pages }

  /// The first page's frame number. The frames of the other pages follow it.
  public var firstPFN: PFN { section.first }
  public var firstFrame: PFN? { section.first }

  /// The device's own view of one of its pages, for as long as the range is borrowed.
  ///
  /// - Precondition: `page` is not negative and below `pageCount`.
  @_lifetime(borrow self)
  public func bytes(ofPage page: Int) -> PageBytes {
    _overrideLifetime(PageBytes(deviceBytes(ofPage: page), isWritable: true), borrowing: self)
  }

  /// The same, which must not outlive the device.
  package func deviceBytes(ofPage page: Int) -> FrameBytes {
    precondition(page >= 0 && page < section.pages, "the device has no such page")
    return section.memory.frames.bytes(of: section.first + page)
  }

  public func fault(page: Int, write: Bool) -> FaultAnswer {
    guard page >= 0, page < section.pages else { return .busError }
    return .frameNumber(section.first + page, writable: true)
  }

  public func hugeFault(page: Int, write: Bool) -> FaultAnswer? {
    page >= 0 && page <= section.pages - Page.pagesPerHuge ? fault(page: page, write: write) : nil
  }
}
