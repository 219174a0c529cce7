/// Memory without a name that no pin reaches (`memfd_secret(2)`): what `MappingKind.secret` shows.
///
/// A file in memory. Its frames are mapped by number.
///
/// Their entries are special, so the fast path of pins refuses them as it does those of a device. The slow path asks
/// the mapping. The file keeps each frame until the last mapping is gone, and a grace period longer.
final class SecretMemory: Backing {
  private let file: PageCacheFile

  /// - Throws: as `PageCacheFile.init`.
  init(_ memory: PhysicalMemory, pages: Int) throws(PageError) {
    file = try PageCacheFile(memory, pages: pages, isEvictable: false)
  }

  var pageCount: Int { file.pageCount }

  func fault(page: Int, write: Bool) -> FaultAnswer {
    switch file.fault(page: page, write: write) {
    // The reference falls here. The file has one of its own, and no page of it ever leaves.
    case .frame(let reference, let part): .frameNumber(reference.pfn + part, writable: true)
    case .frameNumber(let pfn, let writable): .frameNumber(pfn, writable: writable)
    case .busError: .busError
    case .outOfMemory: .outOfMemory
    case .failed(let error): .failed(error)
    case .retry: .retry
    }
  }
}
