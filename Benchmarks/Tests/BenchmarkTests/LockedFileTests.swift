import Foundation
import Glibc
import Measuring
import Testing

@testable import oltp

/// One process at a time, and always on the file that the path leads to.
@Suite struct LockedFileTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  func message(_ body: () throws -> Void) throws -> String {
    do { try body() } catch let failure as Failure { return failure.description }
    return "no failure"
  }

  @Test func secondUserIsRefused() throws {
    let first = try LockedFile(folder["file"], creation: .ifAbsent)
    #expect(try message { _ = try LockedFile(folder["file"]) }.contains("in use by another process"))
    withExtendedLifetime(first) {}
  }

  /// Another process puts a new file in place between this one's opening and its locking.
  @Test func fileThatWasReplacedIsOpenedAgain() throws {
    let path = folder["file"]
    var replacement: LockedFile?
    replacement = try LockedFile(path, creation: .ifAbsent)
    var renames = 0
    let file = try LockedFile(path, creation: .never) {
      // The first time: the file is replaced, and both locks are given up.
      if renames == 0, let fresh = try? LockedFile(folder["new"], creation: .ifAbsent) {
        try? fresh.rename(over: path)
      }
      replacement = nil
      renames += 1
    }
    #expect(renames == 2)
    #expect(file.identity == FileIdentity(path: path))
    #expect(replacement == nil)
  }

  /// The file that a link leads to is replaced, not the link.
  @Test func aLinkLeadsToTheReplacement() throws {
    try FileManager.default.createDirectory(atPath: folder["disk"], withIntermediateDirectories: true)
    try Data("old".utf8).write(to: URL(fileURLWithPath: folder["disk/file"]))
    symlink("disk/file", folder["link"])
    let file = try LockedFile(folder["link"])
    #expect(file.path.hasSuffix("/disk/file"))
    let fresh = try LockedFile(file.path + ".new", creation: .exclusively)
    try fresh.rename(over: file)
    #expect(FileIdentity(path: folder["link"]) == fresh.identity)
    #expect(FileIdentity(path: folder["disk/file"]) == fresh.identity)
  }

  @Test func aFileWithTwoNamesIsNotReplaced() throws {
    try Data("old".utf8).write(to: URL(fileURLWithPath: folder["file"]))
    link(folder["file"], folder["hard"])
    let file = try LockedFile(folder["file"])
    let fresh = try LockedFile(folder["new"], creation: .exclusively)
    #expect(try message { try fresh.rename(over: file) }.contains("2 names (hard links)"))
    #expect(FileIdentity(path: folder["file"]) == file.identity)
  }

  @Test func fileThatVanishedIsMissing() throws {
    let path = folder["file"]
    _ = try LockedFile(path, creation: .ifAbsent)
    #expect(try message { _ = try LockedFile(path) { unlink(path) } }.contains("ENOENT"))
  }

  @Test func onlyItsOwnNameIsRemoved() throws {
    let file = try LockedFile(folder["file"], creation: .ifAbsent)
    unlink(folder["file"])
    try Data("other".utf8).write(to: URL(fileURLWithPath: folder["file"]))
    file.remove()
    #expect(FileManager.default.fileExists(atPath: folder["file"]))
  }

  @Test func whatIsNoFileIsNamed() throws {
    #expect(mkfifo(folder["fifo"], 0o600) == 0)
    #expect(try message { _ = try LockedFile(folder["fifo"]) }.contains("\(folder["fifo"]): it is not a regular file"))
    #expect(try message { _ = try LockedFile(folder.path) }.contains("EISDIR"))
    #expect(try message { _ = try LockedFile(folder["absent"]) }.contains("No such file or directory (ENOENT)"))
  }

  @Test func twoNamesOfOneFileAreTheSame() throws {
    try Data("x".utf8).write(to: URL(fileURLWithPath: folder["file"]))
    symlink(folder["file"], folder["link"])
    link(folder["file"], folder["hard"])
    for name in ["file", "link", "hard"] { #expect(FileIdentity.areSame(folder["file"], folder[name])) }
    #expect(FileIdentity.areSame(folder["absent"], folder.path + "/./absent"))
    #expect(!FileIdentity.areSame(folder["absent"], folder["file"]))
    #expect(!FileIdentity.areSame(folder["absent"], folder["other"]))
  }

  /// A report keeps what was there until it is written, and leaves nothing if it never is.
  @Test func reportsThatAreNotWritten() throws {
    try Data("old".utf8).write(to: URL(fileURLWithPath: folder["old"]))
    _ = try OutputFile(folder["old"], option: "--json")
    #expect(try String(contentsOfFile: folder["old"], encoding: .utf8) == "old")
    _ = try OutputFile(folder["new"], option: "--json")
    #expect(!FileManager.default.fileExists(atPath: folder["new"]))
    try OutputFile(folder["old"], option: "--json").write(json: [1])
    #expect(try String(contentsOfFile: folder["old"], encoding: .utf8) == "[\n  1\n]\n")
  }
}
