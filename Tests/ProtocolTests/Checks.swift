import Testing

/// A model of `Tests/Models` and the verdict that the model checker must give.
struct Check: Sendable, CustomTestStringConvertible {
  enum Verdict: Sendable {
    /// The checker visited every state, and every assertion held.
    case holds
    /// The checker found a violation of the assertion that contains this text.
    case violates(String)
  }

  /// The name of the file without `.pml`.
  let model: String
  /// Macros, as in the model's head: the variant, then the mutation.
  let macros: [String]
  let verdict: Verdict

  var testDescription: String { ([model] + macros).joined(separator: " ") }

  private init(_ model: String, _ macros: String, _ verdict: Verdict) {
    self.model = model
    self.macros = macros.split(separator: " ").map(String.init)
    self.verdict = verdict
  }

  private static func holds(_ model: String, _ macros: String = "") -> Check { Check(model, macros, .holds) }

  private static func caught(_ model: String, _ macros: String, _ assertion: String) -> Check {
    Check(model, macros, .violates(assertion))
  }

  /// The protocols as the library implements them.
  static let protocols: [Check] = [
    holds("unmap", "REFERENCE"), holds("unmap", "SLOT"), holds("unmap", "MIXED"),
    holds("unmap", "REFERENCE READONLY"), holds("unmap", "SLOT READONLY"),
    holds("unmap", "REFERENCE PINNERS=2"), holds("unmap", "SLOT PINNERS=2"),
    holds("unmap", "SLOT NEVER_SLOT_PINNED"), holds("unmap", "MIXED NEVER_SLOT_PINNED"),
    holds("unmap", "SLOT NEVER_SLOT_PINNED PINNERS=2"),
    holds("fork", "REFERENCE"), holds("fork", "SLOT"), holds("fork", "MIXED"), holds("fork", "MIXED LONELY"),
    holds("fork", "REFERENCE PINNERS=2"), holds("fork", "SLOT PINNERS=2"),
    holds("copy"), holds("copy", "REFERENCED"),
    holds("install"), holds("install", "FAULTS=3 TURNS=2"),
    holds("nodes"), holds("cache"), holds("deferred"),
    holds("writeback", "REFERENCE EVICTIONS=0 TURNS=2"), holds("writeback", "SLOT EVICTIONS=0"),
    holds("writeback", "MIXED EVICTIONS=0"), holds("writeback", "REFERENCE EVICTIONS=0 FAILING"),
    holds("writeback", "REFERENCE SYNCS=0"), holds("writeback", "SLOT SYNCS=0 EVICTIONS=2"),
    holds("writeback", "MIXED SYNCS=0"),
    holds("writeback", "PINNERS=0"), holds("writeback", "PINNERS=0 SYNCS=2"),
    holds("writeback", "PINNERS=0 EVICTIONS=2 FAILING"),
    holds("writeback", "REFERENCE MAPPED"), holds("writeback", "SLOT MAPPED"),
    holds("writeback", "PINNERS=0 THREADS=2 SYNCS=0"), holds("writeback", "PINNERS=0 THREADS=2 EVICTIONS=0"),
    holds("mirror"), holds("mirror", "OPERATORS=2 FILLERS=1"), holds("mirror", "TURNS=2 FILLERS=1 ROUNDS=3"),
    holds("collapse", "REFERENCE"), holds("collapse", "SLOT"), holds("collapse", "MIXED"),
    holds("collapse", "MIXED ONE_LOOK"), holds("collapse", "MIXED NOT_WRITE_LOCKED"),
    holds("collapse", "MIXED EMPTY_LINK"),
    holds("collapse", "REFERENCE PART STORES=1"),
    holds("breakup", "REFERENCE"), holds("breakup", "SLOT"), holds("breakup", "MIXED"),
    holds("breakup", "MIXED LEFTOVER"), holds("breakup", "SHARED"), holds("breakup", "SHARED LEFTOVER"),
    holds("breakup", "SHARED UNREFERENCED"),
    holds("swap", "REFERENCE"), holds("swap", "SLOT"), holds("swap", "MIXED"), holds("swap", "SLOT FAILING"),
    holds("swap", "REFERENCE GETS"), holds("swap", "SLOT GETS"), holds("swap", "MIXED GETS DROP STORES=1 ROUNDS=1"),
    holds("swap", "MIXED DROP ROUNDS=1"), holds("swap", "PINNERS=0 STRANGER"),
    holds("swap", "PINNERS=0 STRANGER THREADS=2 STORES=1 ROUNDS=1"), holds("swap", "PINNERS=0 THREADS=2 STORES=1"),
    holds("swap", "REFERENCE PINNERS=1 OUTERS=2 STORES=1 ROUNDS=1"), holds("swap", "PINNERS=0 OUTERS=2 ROUNDS=1"),
    holds("swap", "PINNERS=0 OUTERS=2 STRANGER STORES=1 ROUNDS=1"),
  ]

  /// The protocols with a step removed or moved.
  static let mutations: [Check] = [
    caught("unmap", "REFERENCE NO_SECOND_LOOK", "gone[f]&&(holders[f]>0)"),
    caught("unmap", "REFERENCE COUNT_BEFORE_CHANGE", "gone[f]&&(holders[f]>0)"),
    caught("unmap", "REFERENCE UNMAP_RETURNS_EARLY", "gone[f]&&(holders[f]>0)"),
    caught("unmap", "REFERENCE FREE_WITHOUT_GRACE", "isFree[f]"),
    caught("unmap", "REFERENCE READONLY FREE_WITHOUT_GRACE", "isFree[f]"),
    caught("unmap", "SLOT READONLY FREE_WITHOUT_GRACE", "isFree[f]"),
    caught("unmap", "SLOT UNMAP_RETURNS_EARLY", "gone[f]&&(holders[f]>0)"),
    caught("unmap", "SLOT NO_SCAN", "holders[f]==0"),
    caught("unmap", "SLOT SCAN_BEFORE_GRACE", "holders[f]==0"),
    caught("unmap", "SLOT READONLY SCAN_BEFORE_GRACE", "holders[f]==0"),
    caught("unmap", "SLOT LOOK_AT_SLOTS_NOW", "gone[f]&&(holders[f]>0)"),
    caught("unmap", "SLOT NEVER_SLOT_PINNED PIN_LEAVES_NEVER_SLOT_PINNED", "gone[f]&&(holders[f]>0)"),
    caught("unmap", "SLOT NEVER_SLOT_PINNED CHANGE_BY_STORE", "gone[f]&&(holders[f]>0)"),
    caught("fork", "REFERENCE CHECK_BEFORE_PROTECT", "holders[f]==0"),
    caught("fork", "SLOT CHECK_BEFORE_PROTECT", "holders[f]==0"),
    caught("fork", "REFERENCE NO_GRACE", "childIsComplete"),
    caught("fork", "SLOT NO_GRACE", "childIsComplete"),
    caught("fork", "SLOT SCAN_BEFORE_GRACE", "holders[f]==0"),
    caught("fork", "REFERENCE NO_WRITE_LOCK", "childIsComplete"),
    caught("fork", "REFERENCE LONELY COUNT_BEFORE_LOCK", "childIsComplete"),
    caught("fork", "REFERENCE FAILURE_LEAVES_PINNED", "holders[f]==0"),
    caught("copy", "NO_GRACE", "childValue"), caught("copy", "NO_WRITE_LOCK", "childValue"),
    caught("copy", "INSTALL_BLINDLY", "contents[f]==value"),
    caught("install", "VALIDATE_BEFORE_LOCK", "m==2"),
    caught("install", "ZAP_BEFORE_DETACH", "m==2"),
    caught("install", "PLAIN_CLEAR", "locker==me"),
    caught("nodes", "NO_LOOK_UP", "left[i]==0"),
    caught("nodes", "TAKE_BACK_ALONE", "left[i]==0"),
    caught("nodes", "COLLECT_BEFORE_UNLINK", "left[i]==0"),
    caught("nodes", "FREE_WITHOUT_GRACE", "isFree[upper]"),
    caught("cache", "LOOK_UP_OUTSIDE", "isPrivate[(word-1)]"), caught("cache", "DROP_AT_ONCE", "isFree[(word-1)]"),
    caught("cache", "BEGIN_BEFORE_LOCK", "references[f]==0"), caught("cache", "ASK_ONCE", "isPrivate[n]"),
    caught("writeback", "PINNERS=0 ADVANCE_FIRST", "dirty||written"),
    caught("writeback", "REFERENCE EVICTIONS=0 LEAVE_WRITABLE", "dirty||written"),
    caught("writeback", "PINNERS=0 WRITE_AT_ONCE", "dirty||written"),
    caught("writeback", "REFERENCE EVICTIONS=0 IGNORE_HOLDERS", "dirty||written"),
    caught("writeback", "SLOT EVICTIONS=0 IGNORE_HOLDERS", "dirty||written"),
    caught("writeback", "PINNERS=0 FAILING ERROR_IS_CLEAN", "file==stored"),
    caught("writeback", "PINNERS=0 NO_VALIDATION", "dirty||written"),
    caught("writeback", "REFERENCE EVICTIONS=0 MARK_LATE", "dirty||written"),
    caught("writeback", "PINNERS=0 EVICT_DIRTY", "file==stored"),
    caught("writeback", "PINNERS=0 EVICT_AT_ONCE", "references[f]>0"),
    caught("writeback", "SLOT SYNCS=0 LOOK_EARLY", "pinned!="),
    caught("writeback", "SLOT SYNCS=0 IGNORE_SLOTS", "pinned!="),
    caught("writeback", "PINNERS=0 IGNORE_RESCUE", "dirty||written"),
    caught("writeback", "PINNERS=0 LOOK_UP_OUTSIDE", "references[f]>0"),
    caught("writeback", "REFERENCE MAPPED COUNT_OUTSIDE", "dirty||written"),
    caught("deferred", "GRACE_BEFORE_TAKE", "isFree[x]"),
    caught("deferred", "NO_GRACE", "isFree[x]"),
    caught("deferred", "ENQUEUE_BEFORE_UNLINK", "isFree[x]"),
    caught("deferred", "JOIN_RUNNING", "isFree[x]"),
    caught("mirror", "NO_LOOK", "==entry"), caught("mirror", "LATE_SEQUENCE", "==entry"),
    caught("mirror", "BESIDE", "==entry"), caught("mirror", "CLAIMS_ALIKE", "==entry"),
    caught("mirror", "NO_ADVANCE", "==entry"), caught("mirror", "NO_CLEAR", "==entry"),
    caught("mirror", "CHANGE_FIRST", "==entry"),
    caught("mirror", "NO_VALIDATION", "isValid&&isForeign"),
    caught("mirror", "STORE_OUTSIDE", "isUsedAgain[(w-"),
    caught("mirror", "NO_GRACE", "isUsedAgain[(w-"),
    caught("collapse", "REFERENCE NO_GRACE", "isStale[w]"),
    caught("collapse", "SLOT NO_GRACE", "isStale[w]"),
    caught("collapse", "SLOT NO_SCAN", "isStale[2]"),
    caught("collapse", "SLOT SCAN_BEFORE_GRACE", "isStale[2]"),
    caught("collapse", "REFERENCE COUNT_BEFORE_CHANGE", "isStale[2]"),
    caught("collapse", "REFERENCE NOT_WRITE_LOCKED EMPTY_LINK", "isStale[w]"),
    caught("collapse", "REFERENCE PART STORES=1 COMPARE_ALONE", "isStale[2]"),
    caught("breakup", "REFERENCE NO_MIGRATION", "pinned!="),
    caught("breakup", "SLOT NO_MIGRATION", "pinned!="),
    caught("breakup", "REFERENCE NO_GRACE", "references[c]>0"),
    caught("breakup", "SLOT NO_GRACE", "pinned!="),
    caught("breakup", "SHARED NO_GRACE", "references[c]>0"),
    caught("breakup", "SLOT NO_SCAN", "pinned!="),
    caught("breakup", "SLOT LEFTOVER NO_SCAN", "pinned!="),
    caught("breakup", "SLOT SCAN_BEFORE_GRACE", "pinned!="),
    caught("breakup", "REFERENCE COUNT_BEFORE_CHANGE", "pinned!="),
    caught("breakup", "SHARED NOT_WRITE_LOCKED", "references[c]>0"),
    caught("swap", "REFERENCE ROUNDS=1 NO_GRACE", "references[f]>0"),
    caught("swap", "SLOT ROUNDS=1 NO_GRACE", "isFree[f]"),
    caught("swap", "PINNERS=0 NO_GRACE", "isFree[e]"),
    caught("swap", "SLOT ROUNDS=1 NO_SCAN", "pinned!="),
    caught("swap", "SLOT ROUNDS=1 SCAN_BEFORE_GRACE", "pinned!="),
    caught("swap", "SLOT ROUNDS=1 COUNT_BEFORE_CHANGE", "pinned!="),
    caught("swap", "REFERENCE ROUNDS=1 COUNT_BEFORE_CHANGE", "isStale[e]"),
    caught("swap", "PINNERS=0 THREADS=2 STORES=1 NO_HOLD", "isStale[e]"),
    caught("swap", "PINNERS=0 THREADS=2 STORES=1 STRANGER NO_HOLD", "isStale[e]"),
    caught("swap", "SLOT DROP STORES=1 ROUNDS=1 PUT_AT_ONCE", "pinned!="),
    caught("swap", "SLOT GETS STORES=1 ROUNDS=1 PUT_AT_ONCE", "pinned!="),
  ]
}
