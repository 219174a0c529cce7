import TestSupport
import Testing

@testable import UserPages

/// The ordered map below, against a dictionary; then with readers at work.
@Suite struct COWBTreeTests {
  @Test func randomEdits() {
    let queue = DeferredQueue { words in words.indices.map { words[$0] } }
    var random = SeededGenerator(seed: TestSeed.named("range tree"))
    for span in [40, 300, 5000] {
      let tree = COWBTree(queue: queue)
      var model: [UInt64: UInt64] = [:]
      for _ in 0..<1500 {
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
        RCU.read { section in
          #expect(tree.floor(key, section)?.key == floor)
          #expect(tree.floor(key, section)?.word == floor.flatMap { model[$0] })
          #expect(tree.ceiling(key, section)?.key == ceiling)
        }
        #expect(tree.count == model.count)
      }
    }
    queue.drainAll()
  }

  @Test func keysInOrder() {
    // Ascending keys fill their nodes; descending ones, and those that go up beside others, may not leave a node for
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
        #expect(tree.ceiling(.max, section) == nil)
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
    tree.insert(1, 1)
    tree.publish()
    #expect(queue.treeNodes.inUse == 1)
    RCU.read {
      // This section may have met the node that the edit replaces.
      tree.insert(2, 2)
      tree.publish()
      #expect(queue.treeNodes.inUse == 2)
    }
    queue.drainAll()
    #expect(queue.treeNodes.inUse == 1)
  }

  @Test func readersSeeAnEditWholeOrNotAtAll() {
    // Every edit moves all keys to the next generation. Whatever a reader finds, floor and ceiling are of one map.
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
