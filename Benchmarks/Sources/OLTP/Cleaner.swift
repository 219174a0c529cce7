import Measuring
import UserPages

/// A thread that evicts ahead of demand, as a database's page cleaner does: agents find room for a page, and do not
/// wait for writes.
///
/// It waits until there is room for few pages, and then makes room for many: a batch costs two grace periods, whatever
/// its size.
struct Cleaner {
  let cache: PageCache

  func run(_ control: RunControl) {
    while !control.stop.isRaised {
      let room = cache.limit - cache.residentPages
      let isEnough = room >= cache.limit / 8
      if isEnough || cache.evict(cache.limit / 8 * 3 - room) == 0 { Clock.sleep(nanoseconds: 50_000) }
    }
  }
}
