import TestSupport
import Testing

@testable import UserPages

/// The ordered map below, against a dictionary, then with readers at work.
@Suite struct COWBTreeTests {
  @Test func randomEdits() {
    let queue = DeferredQueue { words in words.indices.map { words[$0] } }
    var random = SeededGenerator(seed: TestSeed.named("range tree"))
    for span in [40, 300, 5000] {
      let tree = COWBTree(queue: queue)
      var model: [UInt64: UInt64] = [:]
      for turn in 0..<1500 {
        // Edits of one leaf, of several, and of one leaf first.
        for _ in 0..<1 + random.below(4) {
          let key = UInt64(random.below(span))
          if random.oneIn(3) {
            if model.removeValue(forKey: key) != nil { tree.remove(key) }
          } else {
            model[key] = random.next()
            tree.insert(key, model[key]!)
          }
        }
        tree.publish()
        let key = UInt64(random.below(span))
        let floor = model.keys.filter { $0 <= key }.max()
        let ceiling = model.keys.filter { $0 >= key }.min()
        #expect(tree.workingCeiling(key)?.key == ceiling)
        #expect(tree.workingFloor(key)?.key == floor)
        let neighbours = tree.workingNeighbours(of: key)
        #expect(neighbours.floor?.key == floor && neighbours.floor?.word == floor.flatMap { model[$0] })
        let above = model.keys.filter { $0 > key }.min()
        #expect(neighbours.above?.key == above && neighbours.above?.word == above.flatMap { model[$0] })
        RCU.read { section in
          #expect(tree.floor(key, section)?.key == floor)
          #expect(tree.floor(key, section)?.word == floor.flatMap { model[$0] })
          #expect(tree.find(key, section, currentKey: { _ in nil })?.word == floor.flatMap { model[$0] })
        }
        #expect(tree.count == model.count)
        if turn % 8 == 0 { expectSound(tree, model) }
      }
    }
    queue.drainAll()
  }

  /// What readers and edits rely on, of a tree without an edit in progress.
  private func expectSound(_ tree: COWBTree, _ model: [UInt64: UInt64]) {
    var entries: [(key: UInt64, word: UInt64)] = []
    func visit(_ node: COWBTree.Node, height: Int32?) {
      let body = node.pointee
      #expect(height == nil || body.height == height)
      #expect(body.version & 1 == 0)
      for index in 0..<COWBTree.fanout where index >= Int(body.count) {
        #expect(body.keys[index] == COWBTree.noKey && body.slots[index] == 0, "something lies behind the last key")
      }
      for index in 0..<Int(body.count) {
        #expect(index == 0 || body.keys[index - 1] < body.keys[index])
        if body.height == 0 {
          entries.append((body.keys[index], body.slots[index]))
        } else {
          let child = COWBTree.child(node, index)
          #expect(child.pointee.keys[0] == body.keys[index], "a child's smallest key is not its parent's")
          visit(child, height: body.height - 1)
        }
      }
    }
    #expect(!tree.isEdited && tree.target == nil && tree.draft == nil)
    if let root = tree.working { visit(root, height: nil) }
    #expect(entries.count == model.count && entries.allSatisfy { model[$0.key] == $0.word })
  }

  @Test func keysInOrder() {
    // Ascending keys fill their nodes. Descending ones, and those that go up beside others, may not leave a node for
    // each key.
    let queue = DeferredQueue { words in words.indices.map { words[$0] } }
    let count = 2000
    func nodes(_ keys: [UInt64]) -> Int {
      let tree = COWBTree(queue: queue)
      for key in keys {
        tree.insert(key, key + 7)
        tree.publish()
      }
      RCU.read { section in
        for key in keys {
          let found = tree.floor(key, section)
          #expect(found?.key == key && found?.word == key + 7)
        }
        #expect(tree.floor(.max, section)?.key == keys.max())
        #expect(tree.workingCeiling(.max) == nil)
      }
      queue.drainAll()
      return withExtendedLifetime(tree) { queue.treeNodes.inUse }
    }
    let ascending = (0..<count).map { UInt64($0 * 2) }
    #expect(nodes(ascending) <= count / COWBTree.fanout + 5)
    #expect(nodes(ascending.reversed()) <= 2 * count / COWBTree.fanout + 15)
    #expect(nodes([.init(Int32.max)] + ascending) <= 2 * count / COWBTree.fanout + 15)
    // Down, in the gap between two nodes that ascending keys have filled.
    let gap = (0..<200).map { UInt64(10_000 - $0) }
    #expect(nodes((0..<64).map(UInt64.init) + [20_000] + gap) <= 2 * 265 / COWBTree.fanout + 15)
  }

  @Test func replacedNodesAreKeptForAGracePeriod() {
    let queue = DeferredQueue { words in words.indices.map { words[$0] } }
    let tree = COWBTree(queue: queue)
    for key in 0..<UInt64(COWBTree.fanout) { tree.insert(key, 1) }
    tree.publish()
    #expect(queue.treeNodes.inUse == 1)
    RCU.read {
      // This section may have met the leaf that the edit splits.
      tree.insert(1000, 2)
      tree.publish()
      #expect(queue.treeNodes.inUse == 4)
    }
    queue.drainAll()
    #expect(queue.treeNodes.inUse == 3)
  }

  @Test func anEditOfOneLeafDefersNothing() {
    let queue = DeferredQueue { words in words.indices.map { words[$0] } }
    let tree = COWBTree(queue: queue)
    tree.insert(1, 1)
    tree.publish()
    for turn in 0..<UInt64(100) {
      tree.insert(2 + turn % 7, turn)
      if turn % 3 == 0 { tree.remove(2 + turn % 7) }
      tree.publish()
    }
    #expect(queue.treeNodes.inUse == 1 && !queue.isAnythingPending)
  }

  @Test func readersSeeAnEditOfOneLeafWholeOrNotAtAll() {
    // Each edit moves all keys to the next generation, and shifts them by a key below or between them.
    let queue = DeferredQueue { words in words.indices.map { words[$0] } }
    let tree = COWBTree(queue: queue)
    let torture = Torture("leaf")
    let keys = (1...20).map { UInt64($0 * 10) }
    for key in keys { tree.insert(key, key << 32 | 1) }
    tree.publish()
    torture.run([
      Worker("edit") { run in
        var generation: UInt64 = 1
        while run.next() {
          generation += 1
          for key in keys { tree.insert(key, key << 32 | generation) }
          let extra = UInt64(run.random.below(20) * 10 + 5)
          tree.insert(extra, extra << 32)
          tree.publish()
          tree.remove(extra)
          tree.publish()
        }
      },
      Worker("read", threads: 2) { run in
        var latest: UInt64 = 0
        while run.next() {
          let key = keys[run.random.below(keys.count)]
          let found = RCU.read { tree.floor(key + 4, $0) }
          torture.expect(found?.key == key && (found?.word ?? 0) >> 32 == key, "found \(String(describing: found))")
          torture.expect((found?.word ?? 0) & 0xffff_ffff >= latest, "an older edit came back")
          latest = (found?.word ?? 0) & 0xffff_ffff
          let entry = RCU.read { tree.find(key + 4, $0, currentKey: { $0 >> 32 == key ? key : nil }) }
          torture.expect(entry?.key == key && (entry?.word ?? 0) >> 32 == key, "found \(String(describing: entry))")
        }
      },
    ])
    queue.drainAll()
    #expect(torture.failures == [])
  }

  @Test func readersSeeAnEditWholeOrNotAtAll() {
    // Every edit moves all keys to the next generation. Whatever a reader finds is of one map.
    let queue = DeferredQueue { words in words.indices.map { words[$0] } }
    let tree = COWBTree(queue: queue)
    let torture = Torture("range tree")
    let keys = (0..<200).map { UInt64($0 * 10) }
    for key in keys { tree.insert(key, 1) }
    tree.publish()
    torture.run([
      Worker("edit") { run in
        var generation: UInt64 = 1
        while run.next() {
          generation += 1
          for key in keys { tree.insert(key, generation) }
          let extra = keys[run.random.below(keys.count)] + 5
          tree.insert(extra, generation)
          tree.publish()
          tree.remove(extra)
          queue.drainIfFull()
        }
        tree.publish()
      },
      Worker("read", threads: 2) { run in
        var latest: UInt64 = 0
        while run.next() {
          let key = keys[run.random.below(keys.count)]
          let found = RCU.read { tree.floor(key + 4, $0) }
          torture.expect(found?.key == key, "key \(key) is missing")
          torture.expect((found?.word ?? 0) >= latest, "an older edit came back")
          latest = found?.word ?? 0
        }
      },
    ])
    queue.drainAll()
    #expect(torture.failures == [])
  }
}
