import Measuring
import Synchronization
import UserPages

/// The library's address spaces.
///
/// Its threads share one space, or one machine with a space each, or have a machine each. Then they have in common what
/// is the process's alone: grace periods.
final class LibrarySubject: FaultSubject {
  /// What the threads share.
  enum Sharing: String, CaseIterable, Sendable {
    case space, machine, nothing
  }

  private static let area: VirtualAddress = 0x10_0000_0000

  let name = "library"
  // One of them, or one for each thread.
  private let machines: [PhysicalMemory]
  private let spaces: [AddressSpace]
  /// Bytes between the mappings of two threads.
  private let distance: Int
  /// Mappings of one page each, every second page, that are there while a work among many is timed.
  private let others: Int
  private let child = Mutex<AddressSpace?>(nil)

  /// Frames for `pages` pages in each machine, all of them touched once, so that the host has given the memory behind
  /// them.
  init(pages: Int, engine: PinEngine, sharing: Sharing, distance: Int, others: Int, threads: Int) throws(Failure) {
    var machines: [PhysicalMemory] = []
    var spaces: [AddressSpace] = []
    do throws(PageError) {
      for _ in 0..<(sharing == .nothing ? threads : 1) {
        machines.append(try PhysicalMemory(ramPages: pages + 8192 * threads))
      }
      for index in 0..<(sharing == .space ? 1 : threads) {
        spaces.append(AddressSpace(machines[index % machines.count], engine: engine))
      }
      for index in machines.indices {
        try spaces[index].map(at: Self.area, pages: pages, protection: .readWrite)
        try spaces[index].advise(at: Self.area, pages: pages, .populateWrite)
        try spaces[index].unmap(at: Self.area, pages: pages)
        machines[index].flushDeferredFrees()
      }
    } catch {
      throw Failure("cannot make \(pages) frames: \(error.name)")
    }
    self.machines = machines
    self.distance = distance
    self.others = others
    self.spaces = spaces
  }

  private func space(of thread: Int) -> AddressSpace { spaces[thread % spaces.count] }

  func can(_ work: FaultWork) -> Bool { true }

  /// The first page of one of the others. The page behind it is not mapped.
  private func other(_ index: Int) -> VirtualAddress { Self.area + index * 2 * Page.size }

  func prepare(_ work: FaultWork, operations: Int, threads: Int) throws(Failure) {
    try named(work) { () throws(PageError) in
      if work.isAmongMany {
        for space in spaces {
          for index in 0..<others { try space.map(at: other(index), pages: 1, protection: .readWrite) }
        }
        for machine in machines { machine.flushDeferredFrees() }
      }
      guard work == .fault || work == .fork else { return }
      for space in spaces { try space.map(at: Self.area, pages: operations * threads, protection: .readWrite) }
      if work == .fork { try spaces[0].advise(at: Self.area, pages: operations, .populateWrite) }
    }
  }

  func perform(_ work: FaultWork, operations: Int, thread: Int) throws(Failure) {
    let space = space(of: thread)
    try named(work) { () throws(PageError) in
      switch work {
      case .fault:
        let start = Self.area + thread * operations * Page.size
        for page in 0..<operations { try space.store(UInt8(1), at: start + page * Page.size) }
      case .fork:
        let copy = try space.fork()
        child.withLock { $0 = copy }
      case .mapUnmap, .mapTouchUnmap:
        let start = Self.area + thread * distance
        for _ in 0..<operations {
          try space.map(at: start, pages: FaultWork.mappingPages, protection: .readWrite)
          if work == .mapTouchUnmap {
            for page in 0..<FaultWork.mappingPages { try space.store(UInt8(1), at: start + page * Page.size) }
          }
          try space.unmap(at: start, pages: FaultWork.mappingPages)
        }
      case .lookUp:
        var random = XorShift(seed: UInt64(thread))
        var found = 0
        for _ in 0..<operations where space.mapping(at: other(random.below(others))) != nil { found += 1 }
        precondition(found == operations, "a mapping is not found")
      case .mapUnmapAmong:
        var random = XorShift(seed: UInt64(thread))
        for _ in 0..<operations {
          let place = other(random.below(others)) + Page.size
          try space.map(at: place, pages: 1, protection: .read)
          try space.unmap(at: place, pages: 1)
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
      if work == .fault || work == .fork {
        for space in spaces { try space.unmap(at: Self.area, pages: operations * threads) }
      }
      if work.isAmongMany { for space in spaces { try space.unmap(at: Self.area, pages: others * 2) } }
      for machine in machines { machine.flushDeferredFrees() }
    }
  }

  private func named(_ work: FaultWork, _ body: () throws(PageError) -> Void) throws(Failure) {
    do { try body() } catch { throw Failure("\(name), \(work.rawValue): \(error.name)") }
  }
}
