import Measuring
import Synchronization
import UserPages

/// The library's address spaces.
final class LibrarySubject: FaultSubject {
  private static let area: VirtualAddress = 0x10_0000_0000

  let name = "library"
  private let machine: PhysicalMemory
  private let space: AddressSpace
  private let child = Mutex<AddressSpace?>(nil)

  /// Frames for `pages` pages, each of them touched once, so that the host has given the memory behind them.
  init(pages: Int, engine: PinEngine) throws(Failure) {
    do {
      machine = try PhysicalMemory(ramPages: pages + 8192)
      space = AddressSpace(machine, engine: engine)
      try space.map(at: Self.area, pages: pages, protection: .readWrite)
      try space.advise(at: Self.area, pages: pages, .populateWrite)
      try space.unmap(at: Self.area, pages: pages)
      machine.flushDeferredFrees()
    } catch {
      throw Failure("cannot make \(pages) frames: \(error.name)")
    }
  }

  func can(_ work: FaultWork) -> Bool { true }

  func prepare(_ work: FaultWork, operations: Int, threads: Int) throws(Failure) {
    try named(work) { () throws(PageError) in
      guard work == .fault || work == .fork else { return }
      try space.map(at: Self.area, pages: operations * threads, protection: .readWrite)
      if work == .fork { try space.advise(at: Self.area, pages: operations, .populateWrite) }
    }
  }

  func perform(_ work: FaultWork, operations: Int, thread: Int) throws(Failure) {
    try named(work) { () throws(PageError) in
      switch work {
      case .fault:
        let start = Self.area + thread * operations * Page.size
        for page in 0..<operations { try space.store(UInt8(1), at: start + page * Page.size) }
      case .fork:
        let copy = try space.fork()
        child.withLock { $0 = copy }
      case .mapUnmap, .mapTouchUnmap:
        let start = Self.area + (thread << 30)
        for _ in 0..<operations {
          try space.map(at: start, pages: FaultWork.mappingPages, protection: .readWrite)
          if work == .mapTouchUnmap {
            for page in 0..<FaultWork.mappingPages { try space.store(UInt8(1), at: start + page * Page.size) }
          }
          try space.unmap(at: start, pages: FaultWork.mappingPages)
        }
      }
    }
  }

  func undo(_ work: FaultWork, operations: Int, threads: Int) throws(Failure) {
    try named(work) { () throws(PageError) in
      child.withLock {
        $0?.exit()
        $0 = nil
      }
      if work == .fault || work == .fork { try space.unmap(at: Self.area, pages: operations * threads) }
      machine.flushDeferredFrees()
    }
  }

  private func named(_ work: FaultWork, _ body: () throws(PageError) -> Void) throws(Failure) {
    do { try body() } catch { throw Failure("\(name), \(work.rawValue): \(error.name)") }
  }
}
