import Measuring
import Synchronization
import UserPages

/// Pins beside many that are held: threads that outnumber processors and slots, each of which keeps pins of its own
/// while it takes and releases others. Beside them a thread maps, touches and unmaps, and one waits for grace periods.
final class HeldPins: Sendable {
  private static let area: VirtualAddress = 0x10_0000_0000
  /// Where the unmapping thread maps, and how many pages at once.
  private static let churnArea: VirtualAddress = 0x20_0000_0000
  private static let churnPages = 64
  /// Frames for what waits to be freed.
  private static let churnFrames = 65536
  /// Pins between two looks at the flag that ends the measurement.
  private static let chunk = 256

  /// What one measurement found.
  struct Outcome {
    /// Nanoseconds of the time that passed which a pin and its release cost one thread.
    var nanoseconds: Double
    /// The share of the held pins that are references, because their thread had no slot free.
    var countedShare: Double
    /// Microseconds that a look for one frame in all slots takes while the pins are held and nothing else runs.
    var scanMicroseconds: Double
    /// Microseconds of the longest wait for a grace period.
    var longestGracePeriod: Double
    /// The most frames that waited to be freed.
    var longestQueue: Double
  }

  private let threads: Int
  /// Pins that each thread keeps.
  private let held: Int
  /// Resident pages, from which all pins are drawn.
  private let pages: Int
  private let machine: PhysicalMemory
  private let space: AddressSpace

  private let holding = Atomic(0)
  private let units = Atomic(0)
  private let failures = Atomic(0)
  private let go = StopFlag()
  private let stop = StopFlag()

  init(_ engine: PinEngine, threads: Int, held: Int, pages: Int) throws(Failure) {
    (self.threads, self.held, self.pages) = (threads, held, pages)
    do throws(PageError) {
      machine = try PhysicalMemory(ramPages: pages + Self.churnFrames)
      space = AddressSpace(machine, engine: engine)
      try space.map(at: Self.area, pages: pages, protection: .readWrite)
      try space.advise(at: Self.area, pages: pages, .populateWrite)
    } catch {
      throw Failure("cannot make \(pages) resident pages: \(error.name)")
    }
  }

  func measure(seconds: Double, seed: UInt64) throws(Failure) -> Outcome {
    let group = try ThreadGroup(threads, bound: true) { thread in
      self.pinAndRelease(XorShift(seed: seed &+ UInt64(thread) << 20))
    }
    group.open()
    while holding.load(ordering: .acquiring) < threads { Clock.sleep(nanoseconds: 1_000_000) }
    let counted = machine.census().references - pages
    let scan = scanMicroseconds()
    go.raise()
    Clock.sleep(nanoseconds: 10_000_000)
    let (before, began) = (units.load(ordering: .relaxed), Clock.now())
    let longest: (gracePeriod: Double, queue: Double)
    do throws(Failure) {
      longest = try churn(until: began + UInt64(seconds * 1e9))
    } catch {
      stop.raise()
      group.join()
      throw error
    }
    let (after, elapsed) = (units.load(ordering: .relaxed), Clock.now() - began)
    stop.raise()
    group.join()
    let left = machine.census().pins
    let failed = failures.load(ordering: .relaxed)
    space.exit()
    guard failed == 0, left == 0 else { throw Failure("\(failed) pages could not be pinned, \(left) pins are left") }
    return Outcome(
      nanoseconds: Double(threads) * Double(elapsed) / Double(max(after - before, 1)),
      countedShare: Double(counted) / Double(threads * held), scanMicroseconds: scan,
      longestGracePeriod: longest.gracePeriod, longestQueue: longest.queue)
  }

  /// One thread's life: it takes its pins, waits until all threads have theirs, and pins and releases beside them.
  private func pinAndRelease(_ start: XorShift) {
    var random = start
    let pins = UnsafeMutablePointer<PinnedPage>.allocate(capacity: held)
    defer { pins.deallocate() }
    var count = 0
    for _ in 0..<held {
      guard let pin = try? space.pin(at: Self.area + random.below(pages) * Page.size) else { continue }
      (pins + count).initialize(to: pin)
      count += 1
    }
    failures.add(held - count, ordering: .relaxed)
    holding.add(1, ordering: .acquiringAndReleasing)
    while !go.isRaised { Clock.sleep(nanoseconds: 1_000_000) }
    while !stop.isRaised {
      var draw = PageDraw(first: 0, span: pages, random: random)
      let failed = enginePinLoop(space, &draw, Self.chunk)
      if failed > 0 { failures.add(failed, ordering: .relaxed) }
      random = draw.random
      units.add(Self.chunk, ordering: .relaxed)
    }
    for index in 0..<count { (pins + index).move().release() }
  }

  /// The median of some looks at how often a frame is pinned, which goes through all slots.
  private func scanMicroseconds() -> Double {
    guard let pin = try? space.pin(at: Self.area) else { return 0 }
    let pfn = pin.pfn
    pin.release()
    let looks = (0..<9).map { _ in
      let began = Clock.now()
      _ = machine.frameInformation(of: pfn)
      return Double(Clock.now() - began) / 1000
    }
    return Spread(looks).median
  }

  /// Maps, touches and unmaps until then, while another thread waits for grace periods. Returns the longest of these
  /// waits, and how many frames waited to be freed at most.
  private func churn(until end: UInt64) throws(Failure) -> (gracePeriod: Double, queue: Double) {
    let longest = Atomic<UInt64>(0)
    let waiting = try ThreadGroup(1) { _ in
      repeat {
        let began = Clock.now()
        RCU.synchronize()
        longest.max(Clock.now() - began, ordering: .relaxed)
      } while Clock.now() < end
    }
    waiting.open()
    var queue = 0
    let free = machine.freePages
    repeat {
      do throws(PageError) {
        try space.map(at: Self.churnArea, pages: Self.churnPages, protection: .readWrite)
        try space.advise(at: Self.churnArea, pages: Self.churnPages, .populateWrite)
        try space.unmap(at: Self.churnArea, pages: Self.churnPages)
      } catch {
        failures.add(1, ordering: .relaxed)
      }
      queue = max(queue, free - machine.freePages)
    } while Clock.now() < end
    waiting.join()
    return (Double(longest.load(ordering: .relaxed)) / 1000, Double(queue))
  }
}
