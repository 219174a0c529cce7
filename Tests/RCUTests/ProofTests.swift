import Foundation
import TestSupport
import Testing

/// The compiler refuses a program that keeps the proof of a section or a lock longer than that lasts, or does without
/// it. It refuses one that copies a frame's reference, uses it after its end, or keeps its bytes longer.
///
/// Each program is compiled against the library as it was built beside the tests.
@Suite(.timeLimit(.minutes(5)), .offThePool) struct ProofTests {
  @Test(arguments: Program.sound)
  func aProofCanBePassedOn(program: Program) throws {
    let run = try compile(program)
    #expect(run.status == 0, "\(run.errors)")
  }

  @Test(arguments: Program.unsound)
  func aProofCanNeitherBeKeptNorMade(program: Program) throws {
    let run = try compile(program)
    let errors = run.errors.split(separator: "\n").filter { $0.contains(": error: ") }
    #expect(run.status == 1)
    #expect(!errors.isEmpty && errors.contains { $0.contains(program.refusal) }, "\(run.errors)")
  }

  /// Not by `-typecheck`: lifetimes are checked after the types.
  private func compile(_ program: Program) throws -> Tool.Run {
    let built = try BuiltProgram.url(named: "ForkProbe").deletingLastPathComponent().path
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../../Sources"
    return try Tool.withFolder { folder in
      let file = "\(folder)/\(program.name).swift"
      try "@testable import UserPages\n\(program.text)\n".write(toFile: file, atomically: false, encoding: .utf8)
      let maps = ["\(built)/CPlatform.build", "\(sources)/CURCU"].flatMap {
        ["-Xcc", "-fmodule-map-file=\($0)/module.modulemap"]
      }
      let arguments = ["-emit-sil", "-o", "/dev/null", "-swift-version", "6", "-I", "\(built)/Modules"]
      return try Tool.run("/usr/bin/env", ["swiftc"] + arguments + maps + [file])
    }
  }
}

/// A program for the compiler.
struct Program: CustomTestStringConvertible, Sendable {
  let name: String
  /// A part of the error that refuses it.
  var refusal = ""
  let text: String

  var testDescription: String { name }

  static let sound = [
    Program(
      name: "section",
      text: """
        func reads(_ space: AddressSpace, _ section: RCU.Section) -> Bool? {
          space.table.leaf(for: 0, section)?.isLowestLevel
        }
        func look(at space: AddressSpace) -> Bool? { RCU.read { section in reads(space, section) } }
        func wait() -> Int { RCU.read { 42 } }
        """),
    Program(
      name: "lock",
      text: """
        func isHuge(_ space: AddressSpace, _ lock: borrowing MmapReader) -> Bool {
          var cursor = space.table.cursor(over: 0..<0x5000, lock)
          if case .huge = cursor.next() { return true }
          return false
        }
        func look(at space: AddressSpace) -> Bool { space.mmapLock.writing { isHuge(space, $0.reader) } }
        """),
    Program(
      name: "frame",
      text: """
        func fill(_ frame: borrowing FrameReference) { frame.bytes.store(1 as UInt8) }
        func isFilled(_ frame: borrowing FrameReference) -> Bool { frame.bytes.load(as: UInt8.self) == 1 }
        func keep(_ frame: consuming FrameReference) { frame.put() }
        func answer(_ memory: PhysicalMemory) throws(PageError) -> FaultAnswer {
          let frame = try memory.allocate()
          fill(frame)
          keep(try frame.retain())
          return isFilled(frame) ? .frame(frame) : .busError
        }
        """),
  ]

  static let unsound = [
    Program(
      name: "sectionInAVariable", refusal: "'kept' escapes its scope",
      text: """
        func keep() -> Bool {
          var kept: RCU.Section?
          RCU.read { kept = $0 }
          return kept == nil
        }
        """),
    Program(
      name: "sectionAsAResult", refusal: "requires that 'RCU.Section' conform to 'Escapable'",
      text: "func keep() { let kept: RCU.Section = RCU.read { $0 } }"),
    Program(
      name: "sectionInAValue", refusal: "has non-Escapable type 'RCU.Section'",
      text: "struct Keeper { let section: RCU.Section }"),
    Program(
      name: "sectionInATask", refusal: "'section' escapes its scope",
      text: """
        func use(_ section: RCU.Section) {}
        func keep() { RCU.read { section in _ = Task { use(section) } } }
        """),
    Program(
      name: "noSection", refusal: "missing argument",
      text: "func look(at space: AddressSpace) -> Bool? { space.table.leaf(for: 0x5000)?.isLowestLevel }"),
    Program(
      name: "leafAfterItsSection", refusal: "'kept' escapes its scope",
      text: """
        func look(at space: AddressSpace) -> Bool? {
          var kept: Leaf?
          RCU.read { kept = space.table.leaf(for: 0x5000, $0) }
          return kept?.isLowestLevel
        }
        """),
    Program(
      name: "lockInAVariable", refusal: "'kept' escapes its scope",
      text: """
        func keep(_ space: AddressSpace) -> Bool {
          var kept: MmapReader?
          space.mmapLock.writing { kept = $0.reader }
          return kept == nil
        }
        """),
    Program(
      name: "cursorAfterItsLock", refusal: "'kept' escapes its scope",
      text: """
        func walk(over space: AddressSpace) -> Bool {
          var kept: TableCursor?
          space.mmapLock.reading { kept = space.table.cursor(over: 0..<0x5000, $0) }
          return kept == nil
        }
        """),
    Program(
      name: "frameCopied", refusal: "'frame' is borrowed and cannot be consumed",
      text: "func copy(_ frame: borrowing FrameReference) -> FrameReference { frame }"),
    Program(
      name: "frameEndedTwice", refusal: "'frame' consumed more than once",
      text: """
        func end(_ frame: consuming FrameReference) {
          frame.put()
          frame.put()
        }
        """),
    Program(
      name: "frameAfterItsEnd", refusal: "'frame' used after consume",
      text: """
        func look(at frame: consuming FrameReference) -> PFN {
          frame.put()
          return frame.pfn
        }
        """),
    Program(
      name: "frameAfterAnAnswer", refusal: "'frame' used after consume",
      text: """
        func answer(_ frame: consuming FrameReference, _ give: (consuming FaultAnswer) -> Void) -> PFN {
          give(.frame(frame))
          return frame.pfn
        }
        """),
    Program(
      name: "frameBytesAfterItsEnd", refusal: "overlapping accesses",
      text: """
        func load(_ frame: consuming FrameReference) -> UInt8 {
          let bytes = frame.bytes
          frame.put()
          return bytes.load(as: UInt8.self)
        }
        """),
    Program(
      name: "frameBytesInAVariable", refusal: "escapes its scope",
      text: """
        func load(_ memory: PhysicalMemory) throws(PageError) -> UInt8 {
          var kept: PageBytes
          do {
            let frame = try memory.allocate()
            kept = frame.bytes
          }
          return kept.load(as: UInt8.self)
        }
        """),
    Program(
      name: "frameBytesAsAResult", refusal: "cannot return a ~Escapable result",
      text: """
        func bytes(_ memory: PhysicalMemory) -> PageBytes {
          let frame = try! memory.allocate()
          return frame.bytes
        }
        """),
    Program(
      name: "frameBytesInAValue", refusal: "has non-Escapable type 'PageBytes'",
      text: "struct Keeper { let bytes: PageBytes }"),
    Program(
      name: "frameBytesInATask", refusal: "escapes its scope",
      text: """
        func use(_ bytes: PageBytes) {}
        func keep(_ frame: borrowing FrameReference) {
          let bytes = frame.bytes
          _ = Task { use(bytes) }
        }
        """),
  ]
}
