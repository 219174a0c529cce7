import Foundation
import TestSupport
import Testing

/// Headers and library declare and define the same functions.
@Suite(.offThePool) struct SymbolTests {
  /// The dynamic library that the build puts beside the tests exports what the headers declare: no function less, and
  /// none more.
  @Test func headersAndLibraryAgree() throws {
    let library = try BuiltProgram.url(named: "libUserPagesC.so").path
    let exported = try CFace.defined(in: library, isDynamic: true)
    let declared = try CFace.declared()
    #expect(declared.subtracting(exported).sorted() == [], "declared, and not exported")
    #expect(exported.subtracting(declared).sorted() == [], "exported, and not declared")
    #expect(declared.count > 50)
  }

  /// Each function's comment says which threads may call it, and unless it returns no code, which errors there are.
  @Test func everyFunctionHasItsContract() throws {
    let headers = try CFace.texts(in: "Sources/UserPagesC/include/userpages", suffix: ".h").joined(separator: "\n")
    let functions = headers.matches(of: /((?:\/\/\/[^\n]*\n)*)UP_API\s([^;()]*?)\b(up_\w+)\(/)
    #expect(functions.count == (try CFace.declared().count))
    for function in functions {
      let (comment, type, name) = (function.output.1, function.output.2, function.output.3)
      #expect(comment.contains("Threads: "), "\(name)")
      if !type.contains("*"), name != "up_version" {
        #expect(comment.contains("Errors: ") || comment.contains("Otherwise as"), "\(name)")
      }
    }
  }

  /// The C++ face covers every function, but for those that have no meaning there.
  @Test func theCXXFaceIsComplete() throws {
    let cover = try #require(try CFace.texts(in: "Sources/UserPagesC/include", suffix: ".hpp").first)
    // A program of C++ has the version at hand, and calls the frames' functions in its own callbacks.
    let others: Set = [
      "up_version", "up_frame_allocate", "up_frame_allocate_huge", "up_frame_retain", "up_frame_put",
    ]
    #expect(try CFace.declared().subtracting(others).filter { !cover.contains("\($0)(") }.sorted() == [])
  }
}
