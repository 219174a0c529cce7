/// Which pages move by themselves.
public struct MigrationPolicy: Sendable {
  /// A page that was accessed in this many passes in a row moves into the page cache.
  public var hotAfter: Int
  /// A cached page that was not accessed in this many passes in a row moves back.
  public var coldAfter: Int

  /// - Precondition: both are positive.
  public init(hotAfter: Int = 3, coldAfter: Int = 3) {
    precondition(hotAfter > 0 && coldAfter > 0)
    self.hotAfter = hotAfter
    self.coldAfter = coldAfter
  }
}

extension Image {
  /// How often in a row a page was, or was not, accessed.
  struct Heat {
    var accessed = 0
    var idle = 0
  }

  /// Makes one pass of a policy, which moves what has become hot or cold since the last pass.
  ///
  /// It looks at which pages were accessed since then: it reads the accessed bits of the entries, and clears them. A
  /// caller runs it by its own clock.
  ///
  /// An entry of 2 MiB has one accessed bit for all of its pages. If the policy is to tell pages apart, map them with
  /// `hugePages: false`.
  ///
  /// Pages that cannot move (pinned, no frame to be had) stay for the next pass. A pass costs one look at each entry
  /// that maps the image. It remembers only pages that were accessed lately.
  ///
  /// - Returns: how many pages moved which way.
  @discardableResult
  public func runPolicy(_ policy: MigrationPolicy) -> (toCache: Int, toImage: Int) {
    let accessed = Set(spaces.takeAccessedPages(of: self))
    let cached = Set(moved.withLock { moved in moved.keys })
    let (hot, cold) = heat.withLock { heat -> ([Int], [Int]) in
      for page in Set(heat.keys).union(accessed).union(cached) {
        var now = heat[page] ?? Heat()
        if accessed.contains(page) {
          now = Heat(accessed: now.accessed + 1, idle: 0)
        } else {
          now = Heat(accessed: 0, idle: now.idle + 1)
        }
        heat[page] = now.idle > policy.coldAfter && !cached.contains(page) ? nil : now
      }
      let hot = heat.filter { $0.value.accessed >= policy.hotAfter && !cached.contains($0.key) }
      let cold = heat.filter { $0.value.idle >= policy.coldAfter && cached.contains($0.key) }
      return (hot.keys.sorted(), cold.keys.sorted())
    }
    var toCache = 0
    var toImage = 0
    for page in cold where (try? migrateToImage(page: page)) != nil { toImage += 1 }
    for page in hot where (try? migrateToCache(page: page)) != nil { toCache += 1 }
    return (toCache, toImage)
  }
}
