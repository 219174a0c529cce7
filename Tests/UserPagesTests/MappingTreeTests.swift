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
    /// Which page of the file it shows. Nil for anonymous memory.
    var filePage: Int?
  }

  private static let window = 24
  /// Where the pages lie: inside a stripe, at its end, and at the end of one that shares its slot with several others.
  private static let bases: [UInt64] = [0x10_0000, Stripe.size - 0xc000, Stripe.size * 64 - 0x5000]

  /// A space's mappings, and the address of page 0.
  private struct Tree {
    let mappings: VMATree
    let base: UInt64

    func address(_ page: Int) -> VirtualAddress { VirtualAddress(base + UInt64(page * Page.size)) }

    func addresses(_ range: Range<Int>) -> Range<VirtualAddress> {
      address(range.lowerBound)..<address(range.upperBound)
    }
  }

  private let memory: PhysicalMemory
  private let lock = MmapLock()

  init() throws { memory = try PhysicalMemory(ramPages: 8) }

  @Test(arguments: bases)
  func randomEdits(base: UInt64) throws {
    let file = try PageCacheFile(memory, pages: 64)
    var random = SeededGenerator(seed: TestSeed.named("mapping tree"))
    for _ in 0..<200 {
      let tree = Tree(mappings: VMATree(queue: memory.deferredQueue), base: base)
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
      #expect(tree.mappings.count == 0)
    }
    memory.flushDeferredFrees()
  }

  /// A leaf's word has 16 bits for the number of pages.
  @Test(arguments: [1, 65_535, 65_536, 65_537, 300_000])
  func aLeafSaysWhatItsMappingIs(pages: Int) {
    for protection in [Protection.none, .read, .write, .readWrite] {
      for isShared in [false, true] {
        let tree = Tree(mappings: VMATree(queue: memory.deferredQueue), base: 1 << 30)
        let range = 0..<pages
        let attributes = VMA.Attributes(protection: protection, isShared: isShared, kind: .anonymous, hugePages: false)
        edit(range, of: tree) { mappings, writer, old in
          mappings.insert(
            VMA(range: tree.addresses(range), attributes: attributes, firstPage: 0, anonVMA: .none), replacing: &old,
            writer)
        }
        RCU.read { section in
          for page in [0, pages - 1] {
            let entry = tree.mappings.entry(at: tree.address(page), section)
            #expect(entry?.range == tree.addresses(range))
            #expect(entry?.protection == protection && entry?.isShared == isShared)
            #expect(entry?.mapping.value.range == tree.addresses(range))
          }
          for hole in [tree.address(0) + -1, tree.address(pages)] {
            #expect(tree.mappings.entry(at: hole, section) == nil)
          }
        }
      }
    }
  }

  private func insert(
    _ range: Range<Int>, into tree: Tree, _ model: inout [Int: Word], file: PageCacheFile,
    _ random: inout SeededGenerator
  ) {
    let fromFile = random.oneIn(2)
    let word = Word(
      protection: random.oneIn(2) ? .read : .readWrite, isShared: random.oneIn(2), dontFork: random.oneIn(4),
      filePage: nil)
    // Often the page that continues what lies to the left, so that neighbours can merge.
    let firstPage =
      fromFile
      ? (random.oneIn(2) ? range.lowerBound + 3 : random.below(20)) : tree.address(range.lowerBound).pageNumber
    var attributes = VMA.Attributes(
      protection: word.protection, isShared: word.isShared, kind: fromFile ? .file(file) : .anonymous, hugePages: false)
    attributes.dontFork = word.dontFork
    edit(range, of: tree) { mappings, writer, old in
      mappings.carve(tree.addresses(range), replacing: &old, writer)
      mappings.insert(
        VMA(range: tree.addresses(range), attributes: attributes, firstPage: firstPage, anonVMA: .none),
        replacing: &old, writer)
    }
    for page in range {
      model[page] = word
      if fromFile { model[page]?.filePage = firstPage + page - range.lowerBound }
    }
  }

  private func remove(_ range: Range<Int>, from tree: Tree, _ model: inout [Int: Word]) {
    edit(range, of: tree) { mappings, writer, old in
      mappings.carve(tree.addresses(range), replacing: &old, writer)
    }
    for page in range { model[page] = nil }
  }

  private func edit(
    _ range: Range<Int>, of tree: Tree, _ body: (VMATree, borrowing MmapWriter, inout VMATree.Replaced) -> Void
  ) {
    // The whole space the first time in a stripe, and where a wide mapping is or comes.
    lock.writing(tree.addresses(range), in: tree.mappings) { writer in
      var old = VMATree.Replaced()
      body(tree.mappings, writer, &old)
      tree.mappings.publish(writer)
      var teardown = Teardown(memory.deferred)
      tree.mappings.retire(old, &teardown)
      teardown.finishWithoutGracePeriod()
    }
  }

  private func compare(_ tree: Tree, _ model: [Int: Word]) {
    RCU.read { section in
      var mappings = 0
      var before: Word?
      for page in 0..<Self.window {
        let mapping = tree.mappings.find(tree.address(page) + 123, section)
        let found = mapping.map { mapping in
          Word(
            protection: mapping.value.attributes.protection, isShared: mapping.value.attributes.isShared,
            dontFork: mapping.value.attributes.dontFork,
            filePage: mapping.value.attributes.isAnonymous ? nil : mapping.value.backingPage(of: tree.address(page)))
        }
        #expect(found == model[page], "page \(page)")
        #expect(mapping?.value.isLive ?? true)
        // Neighbours that could be one mapping are one.
        if let word = model[page], !continues(before, word) { mappings += 1 }
        before = model[page]
      }
      #expect(tree.mappings.count == mappings)
    }
  }

  private func continues(_ before: Word?, _ word: Word) -> Bool {
    guard var expected = before else { return false }
    expected.filePage = expected.filePage.map { $0 + 1 }
    return expected == word
  }
}
