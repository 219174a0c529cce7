import Measuring
import Synchronization

/// What the standard library offers: a dictionary from page to frame, and the frames' counts, under one lock.
final class DictionarySubject: Subject {
  private struct State {
    var frames: [Int: Int] = [:]
    var counts: [Int] = []
  }

  let name = "dictionary"
  private let state: Mutex<State>

  init(pages: Int) {
    var state = State()
    state.frames.reserveCapacity(pages)
    for page in 0..<pages { state.frames[page] = page }
    state.counts = Array(repeating: 1, count: pages)
    self.state = Mutex(state)
  }

  func can(_ work: Work) -> Bool { work.isCommon }

  func loop(_ draw: inout PageDraw, iterations: Int) -> Int {
    var failures = 0
    for _ in 0..<iterations {
      if let frame = pin(draw.first &+ draw.random.below(draw.span)) { release(frame) } else { failures += 1 }
    }
    return failures
  }

  func rangeLoop(_ draw: inout PageDraw, iterations: Int) -> Int {
    var failures = 0
    for _ in 0..<iterations {
      let start = draw.rangeStart()
      for page in start..<start + Work.rangePages {
        if let frame = pin(page) { release(frame) } else { failures += 1 }
      }
    }
    return failures
  }

  @inline(__always)
  private func pin(_ page: Int) -> Int? {
    state.withLock { state in
      guard let frame = state.frames[page] else { return nil }
      state.counts[frame] &+= 1
      return frame
    }
  }

  @inline(__always)
  private func release(_ frame: Int) {
    state.withLock { $0.counts[frame] &-= 1 }
  }

  func check() -> String? {
    state.withLock { $0.counts.allSatisfy { $0 == 1 } } ? nil : "counts are left"
  }
}
