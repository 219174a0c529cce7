import TestSupport
import UserPages

/// The file that a run's threads use at present.
final class CurrentFile: Sendable {
  private let slot = Locked<PageCacheFile?>(nil)

  /// The file.
  var file: PageCacheFile? { slot.withLock { $0 } }

  /// Puts another in its place and drops the old one.
  func replace(with file: PageCacheFile?) {
    let old = slot.withLock { current in
      defer { current = file }
      return current
    }
    old?.drop()
  }
}
