import CFloor

/// The reference protocol by hand in C, over the same kind of table: what the library's engine cannot beat.
final class ReferenceFloor: Subject, @unchecked Sendable {
  // Sendable: the C code behind the pointer is thread-safe.
  let name = "c-reference"
  private let space: OpaquePointer

  init(pages: Int) {
    space = floor_reference_create(pages)
  }

  deinit {
    floor_reference_destroy(space)
  }

  func loop(_ work: inout PageDraw, iterations: Int) -> Int {
    work.withFloorWork { Int(floor_reference_loop(space, &$0, UInt64(iterations))) }
  }

  func check() -> String? {
    let leaks = floor_reference_leaks(space)
    return leaks == 0 ? nil : "\(leaks) references are left"
  }
}
