import CFaceDriver
import Foundation
import TestSupport
import Testing
import UserPagesC

/// The C face by its users' own means: every function, its errors and its races, from programs written in C.
///
/// One test at a time: the driver has one list of failures.
@Suite(.serialized, .offThePool) struct CFaceTests {
  static let names = (0..<face_test_count()).map { String(cString: face_test_name($0)) }

  @Test(arguments: names)
  func fromC(name: String) throws {
    let index = try #require(Self.names.firstIndex(of: name))
    let failures = try Tool.withFolder { folder -> String in
      guard let text = face_run(index, folder, TortureTime.perPair) else { return "" }
      defer { free(text) }
      return String(cString: text)
    }
    #expect(failures == "")
  }

  /// The driver calls each function of the headers.
  @Test func everyFunctionIsCalled() throws {
    let driver = try CFace.texts(in: "Tests/CFaceDriver", suffix: ".c").joined()
    let functions = try CFace.declared()
    #expect(functions.count > 50)
    #expect(functions.filter { !driver.contains("\($0)(") }.sorted() == [])
  }
}
