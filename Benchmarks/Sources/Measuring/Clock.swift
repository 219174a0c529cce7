import Glibc

/// The monotonic clock, in nanoseconds.
public enum Clock {
  @inlinable
  public static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  /// The processor time of the calling thread, in nanoseconds.
  public static func processorTime() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  /// What one reading of the clock adds to the time between two readings: the least of many.
  public static let overhead: UInt64 = {
    var least = UInt64.max
    for _ in 0..<10_000 {
      let start = now()
      least = min(least, now() - start)
    }
    return least
  }()

  public static func sleep(nanoseconds: UInt64) {
    var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    nanosleep(&time, nil)
  }
}
