import CFloor

/// A subject with loops written in C or C++.
final class CSubject: Subject, @unchecked Sendable {
  // Sendable: the C code is thread-safe.
  let name: String
  private let subject: floor_subject
  private let space: UnsafeMutableRawPointer

  /// Returns nil if this machine does not have what the subject needs.
  init?(_ subject: floor_subject, pages: Int) {
    guard let space = subject.create(pages) else { return nil }
    self.subject = subject
    self.space = space
    name = String(cString: subject.name)
  }

  deinit {
    subject.destroy(space)
  }

  func can(_ work: Work) -> Bool {
    work.isCommon && (work.isRange ? subject.range_loop != nil : subject.loop != nil)
  }

  func loop(_ draw: inout PageDraw, iterations: Int) -> Int {
    draw.withFloorWork { Int(subject.loop(space, &$0, UInt64(iterations))) }
  }

  func rangeLoop(_ draw: inout PageDraw, iterations: Int) -> Int {
    draw.withFloorWork { Int(subject.range_loop(space, &$0, UInt64(iterations))) }
  }

  var errorCode: Int32 { name.hasPrefix("kernel") ? floor_kernel_error() : 0 }

  func check() -> String? {
    let leaks = subject.leaks(space)
    return leaks == 0 ? nil : "\(leaks) references are left"
  }
}
