import TestSupport
import Testing

@testable import UserPages

/// Mappings that split and merge, against a dictionary with one word for each page.
@Suite struct MappingTreeTests {
  /// What a page's mapping is, in the model.
  private struct Word: Equatable {
    var protection: Protection
    var isShared: Bool
    var dontFork: Bool
    /// Which page of the file it shows; nil for anonymous memory.
    var filePage: Int?
  }

  private static let window = 24

  private let memory: PhysicalMemory
  private let lock = MmapLock()

  init() throws { memory = try PhysicalMemory(ramPages: 8) }

  @Test func randomEdits() throws {
    let file = try PageCacheFile(memory, pages: 64)
    var random = SeededGenerator(seed: TestSeed.named("mapping tree"))
    for _ in 0..<300 {
      let tree = VMATree(queue: memory.deferredQueue)
      var model: [Int: Word] = [:]
      for _ in 0..<40 {
        let first = random.below(Self.window)
        let range = first..<first + 1 + random.below(Self.window - first)
        if random.oneIn(3) {
          remove(range, from: tree, &model)
        } else {
          insert(range, into: tree, &model, file: file, &random)
        }
        compare(tree, model)
      }
      remove(0..<Self.window, from: tree, &model)
      #expect(tree.count == 0)
    }
    memory.flushDeferredFrees()
  }

  private func insert(
    _ range: Range<Int>, into tree: VMATree, _ model: inout [Int: Word], file: PageCacheFile,
    _ random: inout SeededGenerator
  ) {
    let fromFile = random.oneIn(2)
    let word = Word(
      protection: random.oneIn(2) ? .read : .readWrite, isShared: random.oneIn(2), dontFork: random.oneIn(4),
      filePage: nil)
    // Often the page that continues what lies to the left, so that neighbours can merge.
    let firstPage = fromFile ? (random.oneIn(2) ? range.lowerBound + 3 : random.below(20)) : 0
    var attributes = VMA.Attributes(
      protection: word.protection, isShared: word.isShared, kind: fromFile ? .file(file) : .anonymous, hugePages: false)
    attributes.dontFork = word.dontFork
    edit(tree) { writer, old in
      tree.carve(addresses(range), replacing: &old, writer)
      tree.insert(addresses(range), attributes, firstPage: firstPage, replacing: &old, writer)
    }
    for page in range {
      model[page] = word
      if fromFile { model[page]?.filePage = firstPage + page - range.lowerBound }
    }
  }

  private func remove(_ range: Range<Int>, from tree: VMATree, _ model: inout [Int: Word]) {
    edit(tree) { writer, old in tree.carve(addresses(range), replacing: &old, writer) }
    for page in range { model[page] = nil }
  }

  private func edit(_ tree: VMATree, _ body: (borrowing MmapWriter, inout VMATree.Replaced) -> Void) {
    lock.writing { writer in
      var old = VMATree.Replaced()
      body(writer, &old)
      tree.publish(writer)
      var teardown = Teardown(memory.deferred)
      tree.retire(old, &teardown)
      teardown.finishWithoutGracePeriod()
    }
  }

  private func compare(_ tree: VMATree, _ model: [Int: Word]) {
    RCU.read { section in
      var mappings = 0
      var before: Word?
      for page in 0..<Self.window {
        let mapping = tree.find(address(page) + 123, section)
        let found = mapping.map { mapping in
          Word(
            protection: mapping.value.attributes.protection, isShared: mapping.value.attributes.isShared,
            dontFork: mapping.value.attributes.dontFork,
            filePage: mapping.value.attributes.isAnonymous ? nil : mapping.value.backingPage(of: address(page)))
        }
        #expect(found == model[page], "page \(page)")
        #expect(mapping?.value.isLive ?? true)
        // Neighbours that could be one mapping are one.
        if let word = model[page], !continues(before, word) { mappings += 1 }
        before = model[page]
      }
      #expect(tree.count == mappings)
    }
  }

  private func continues(_ before: Word?, _ word: Word) -> Bool {
    guard var expected = before else { return false }
    expected.filePage = expected.filePage.map { $0 + 1 }
    return expected == word
  }

  private func address(_ page: Int) -> VirtualAddress { VirtualAddress(UInt64(0x10_0000 + page * Page.size)) }

  private func addresses(_ range: Range<Int>) -> Range<VirtualAddress> {
    address(range.lowerBound)..<address(range.upperBound)
  }
}
