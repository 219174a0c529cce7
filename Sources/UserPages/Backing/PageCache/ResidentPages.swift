/// Which pages a cache holds: as many places as it may hold frames, and the hand of the clock that the evictor walks
/// them with.
///
/// A place is reserved before a frame is allocated, so the limit is never exceeded. It gets its page once the page's
/// state is `reading`. It loses its page in the step in which the state becomes `empty` (`release(_:of:if:)`). So a
/// page that is present or being evicted has exactly one place. Of two threads that would take it away, one frees the
/// place.
///
/// The list grows when all of its places are taken, up to the limit. So it costs what was once in memory together, and
/// not what the limit would allow. It does not shrink.
final class ResidentPages: Sendable {
  /// A place, by index.
  struct Place: Equatable, Sendable { fileprivate let index: Int }

  private struct Places {
    /// The page at each place that was ever taken. -1 for a place that is free again, -2 for one that is reserved.
    var pages: [Int] = []
    /// Those of them that are free.
    var free: [Int] = []
    var hand = 0

    var taken: Int { pages.count - free.count }
  }

  private static let noPage = -1
  private static let reserved = -2

  let limit: Int
  private let places = Guarded(Places())

  init(limit: Int) {
    self.limit = limit
  }

  /// Places that are not free.
  var count: Int { places.withLock { $0.taken } }

  /// Places that are free.
  var free: Int { places.withLock { limit - $0.taken } }

  /// Places that were ever taken: what a look at all of them costs.
  var extent: Int { places.withLock { $0.pages.count } }

  /// Takes a place. Returns nil if all are taken.
  func reserve() -> Place? {
    places.withLock { places in
      if let index = places.free.popLast() {
        places.pages[index] = Self.reserved
        return Place(index: index)
      }
      guard places.pages.count < limit else { return nil }
      places.pages.append(Self.reserved)
      return Place(index: places.pages.count - 1)
    }
  }

  /// Gives a reserved place its page. The caller has made the page's state `reading`.
  func set(_ place: Place, to page: Int) { places.withLock { $0.pages[place.index] = page } }

  /// Frees a place.
  func release(_ place: Place) {
    places.withLock { places in
      places.pages[place.index] = Self.noPage
      places.free.append(place.index)
    }
  }

  /// Frees the place of `page` if `empty` makes that page empty, which is one change of its state. Returns whether it
  /// did.
  ///
  /// A place may have been given to another page since the caller looked. Then the page has left it, and nothing
  /// happens.
  func release(_ place: Place, of page: Int, if empty: () -> Bool) -> Bool {
    places.withLock { places in
      guard places.pages[place.index] == page, empty() else { return false }
      places.pages[place.index] = Self.noPage
      places.free.append(place.index)
      return true
    }
  }

  /// Up to `count` pages from the hand of the clock on, which moves past them. At most one round.
  func next(_ count: Int) -> [(place: Place, page: Int)] {
    places.withLock { places in
      var found: [(place: Place, page: Int)] = []
      for _ in places.pages.indices {
        if found.count == count { break }
        let index = places.hand
        places.hand = index + 1 == places.pages.count ? 0 : index + 1
        if places.pages[index] >= 0 { found.append((Place(index: index), places.pages[index])) }
      }
      return found
    }
  }

  /// The pages in a range that `condition` accepts, in order. It is called under the lock.
  func pages(in range: Range<Int>, where condition: (Int) -> Bool = { _ in true }) -> [(place: Place, page: Int)] {
    let found = places.withLock { places in
      places.pages.indices.filter { range.contains(places.pages[$0]) && condition(places.pages[$0]) }.map {
        (Place(index: $0), places.pages[$0])
      }
    }
    return found.sorted { $0.1 < $1.1 }.map { (place: $0.0, page: $0.1) }
  }
}
