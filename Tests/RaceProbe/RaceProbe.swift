import Foundation
import Synchronization
import UserPages

// A program that publishes, replaces and reclaims objects under RCU, rightly or wrongly, by its argument.
// ThreadSanitizer must report the wrong ways and must not report the right ones: so the tests know that what the
// library tells the sanitizer about read-side sections and grace periods is neither too little nor too much.

/// The ways to do it.
enum Way: String, CaseIterable {
  /// Unlink, wait for a grace period, overwrite.
  case synchronize
  /// Unlink, defer the overwriting.
  case deferFree
  /// Defer, wait for the barrier, overwrite once more.
  case barrier
  /// Wrong: overwrite right after unlinking.
  case noGracePeriod
  /// Wrong: overwrite after unlinking, then wait.
  case writeBeforeGracePeriod
  /// Wrong: defer, then overwrite without waiting.
  case writeAfterDeferring
}

/// A word that is read and written plainly, as the contents of an object under RCU are.
struct Object: @unchecked Sendable {
  // The whole point: nothing but RCU orders the accesses to it.
  let word: UnsafeMutablePointer<Int>

  init(_ value: Int) {
    word = .allocate(capacity: 1)
    word.initialize(to: value)
  }

  @inline(never) func read() -> Int { word.pointee }
  @inline(never) func overwrite() { word.pointee = -1 }
}

/// A pointer that readers follow.
final class Published: Sendable {
  private let address = Atomic<UInt>(0)

  func load() -> Object? {
    UnsafeMutablePointer<Int>(bitPattern: address.load(ordering: .acquiring)).map { Object(at: $0) }
  }

  func exchange(_ object: Object) -> Object? {
    let old = address.exchange(UInt(bitPattern: object.word), ordering: .acquiringAndReleasing)
    return UnsafeMutablePointer<Int>(bitPattern: old).map { Object(at: $0) }
  }
}

extension Object {
  init(at word: UnsafeMutablePointer<Int>) { self.word = word }
}

@main
enum RaceProbe {
  static let rounds = 400

  static func main() {
    guard CommandLine.arguments.count == 2, let way = Way(rawValue: CommandLine.arguments[1]) else {
      print("usage: RaceProbe \(Way.allCases.map(\.rawValue).joined(separator: "|"))")
      Foundation.exit(2)
    }
    let published = Published()
    let stop = StopFlag()
    let reads = StopFlag()
    let ended = DispatchSemaphore(value: 0)
    let reader = Thread {
      var sum = 0
      while !stop.isSet {
        sum &+= RCU.read { () -> Int in published.load()?.read() ?? 0 }
        reads.set()
      }
      print("read \(sum == 0 ? "nothing" : "something")")
      ended.signal()
    }
    reader.start()
    for round in 1...rounds {
      let old = published.exchange(Object(round))
      // Let the reader meet the new object, so that there is something to race with.
      reads.clear()
      while !reads.isSet { sched_yield() }
      if let old { reclaim(old, way) }
    }
    stop.set()
    ended.wait()
    RCU.barrier()
    print("done: \(way.rawValue)")
  }

  /// Takes an unlinked object out of use; objects stay allocated, so that a wrong way is a race and nothing worse.
  static func reclaim(_ old: Object, _ way: Way) {
    switch way {
    case .synchronize:
      RCU.synchronize()
      old.overwrite()
    case .deferFree:
      RCU.deferFree { old.overwrite() }
    case .barrier:
      RCU.deferFree { old.overwrite() }
      RCU.barrier()
      old.overwrite()
    case .noGracePeriod:
      old.overwrite()
    case .writeBeforeGracePeriod:
      old.overwrite()
      RCU.synchronize()
    case .writeAfterDeferring:
      RCU.deferFree { old.overwrite() }
      old.overwrite()
    }
  }
}

/// A flag that orders nothing (relaxed), so that it hides no race.
final class StopFlag: Sendable {
  private let flag = Atomic<Bool>(false)
  var isSet: Bool { flag.load(ordering: .relaxed) }
  func set() { flag.store(true, ordering: .relaxed) }
  func clear() { flag.store(false, ordering: .relaxed) }
}
