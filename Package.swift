// swift-tools-version: 6.2
import PackageDescription

// What a page-table entry looks like is chosen when the library is compiled:
//
//     swift test --traits PTELayoutS390
//     swift test --traits PTELayoutPowerPC,NoSpecialBit
//
// and by `.package(..., traits: ["PTELayoutS390"])` for a package that uses this one. Traits rather than `-Xswiftc -D`,
// because the choice is the library's alone (a flag would reach every package of a build), a manifest can make it, and the
// build knows what to compile again when it changes. A scratch path for each choice saves that too: see `.ci/configurations`.
//
// Nothing that the library offers changes with them, and no source but PageTables/PTELayout.swift, PageTables/SpecialBit.swift
// and AddressSpaces/NormalPage.swift asks for the conditions. All traits that the packages of one build ask for are enabled
// together. Of the two layouts s390's then takes precedence.
let entryFormat: [SwiftSetting] = [
  .define("USERPAGES_PTE_S390", .when(traits: ["PTELayoutS390"])),
  .define("USERPAGES_PTE_POWERPC", .when(traits: ["PTELayoutPowerPC"])),
  .define("USERPAGES_NO_SPECIAL_BIT", .when(traits: ["NoSpecialBit"])),
]

let package = Package(
  name: "user-pages",
  products: [
    .library(name: "UserPages", targets: ["UserPages"]),
    .library(name: "UserPagesEROFS", targets: ["UserPagesEROFS"]),
    // For programs in C, C++, Python: Sources/UserPagesC/install builds both and installs them with their headers.
    .library(name: "UserPagesC", type: .dynamic, targets: ["UserPagesC"]),
    .library(name: "UserPagesCStatic", type: .static, targets: ["UserPagesC"]),
    // Loaded by SQLite: `.load ./libUserPagesSQLite`.
    .library(name: "UserPagesSQLite", type: .dynamic, targets: ["UserPagesSQLite"]),
    .executable(name: "gup", targets: ["gup"]),
  ],
  traits: [
    .trait(name: "PTELayoutS390", description: "Page-table entries as on s390, instead of x86-64"),
    .trait(name: "PTELayoutPowerPC", description: "Page-table entries as on 64-bit powerpc, instead of x86-64"),
    .trait(
      name: "NoSpecialBit",
      description: "No special bit in entries: the mapping, and whether there is a descriptor, tell a normal page"),
  ],
  dependencies: [
    // The tool's alone: nothing that links `UserPages` builds it into its program.
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    // A command only: swift package generate-documentation --target UserPages
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"),
  ],
  targets: [
    .systemLibrary(
      name: "CURCU",
      pkgConfig: "liburcu-bp",
      providers: [.apt(["liburcu-dev"]), .yum(["userspace-rcu-devel"])]
    ),
    .target(
      name: "CPlatform",
      dependencies: ["CURCU"]
    ),
    .target(
      name: "UserPages",
      dependencies: ["CPlatform"],
      // Values that cannot outlive what they were lent from; clients need no flag.
      swiftSettings: entryFormat + [.enableExperimentalFeature("Lifetimes")]
    ),
    // EROFS images: a mapping shows their files where they lie. By package access to what only such a backing needs.
    .target(
      name: "UserPagesEROFS",
      dependencies: ["UserPages"]
    ),
    // The C face. The compiler compares each function with its declaration in the headers, which are a module of their own.
    .systemLibrary(
      name: "CUserPages",
      path: "Sources/UserPagesC/include"
    ),
    .target(
      name: "UserPagesC",
      dependencies: ["CUserPages", "UserPages"],
      exclude: ["README.md", "include", "install", "userpages.map", "userpages.pc.in"]
    ),
    // SQLite's headers, and the table of functions that it hands to an extension.
    .target(
      name: "CSQLite"
    ),
    // A loadable extension of SQLite: a VFS over a page cache.
    .target(
      name: "UserPagesSQLite",
      dependencies: ["CPlatform", "CSQLite", "UserPages"],
      exclude: ["README.md", "install"]
    ),
    .target(
      name: "Scenario",
      dependencies: ["UserPages", "UserPagesEROFS"]
    ),
    // The random numbers of tests and random scenarios.
    .target(
      name: "SeededRandom"
    ),
    // Random scenarios, run in the library and on real memory.
    .target(
      name: "Fuzz",
      dependencies: ["Scenario", "SeededRandom", "UserPages"]
    ),
    // The kernel's side of the comparison. `gup fuzz` starts `gup` once more to run it.
    .target(
      name: "CKernelOracle"
    ),
    .executableTarget(
      name: "gup",
      dependencies: [
        "CKernelOracle",
        "Fuzz",
        "Scenario",
        "UserPages",
        "UserPagesEROFS",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]
    ),
    // Small programs that show one use each. CI builds and runs them.
    .executableTarget(
      name: "example-direct-read",
      dependencies: ["UserPages"],
      path: "Sources/Examples/DirectRead"
    ),
    .executableTarget(
      name: "example-flash-and-ram",
      dependencies: ["UserPages"],
      path: "Sources/Examples/FlashAndRAM"
    ),
    .executableTarget(
      name: "example-iommu",
      dependencies: ["UserPages"],
      path: "Sources/Examples/IOMMU"
    ),
    .executableTarget(
      name: "example-pins-in-tasks",
      dependencies: ["UserPages"],
      path: "Sources/Examples/PinsInTasks"
    ),
    .executableTarget(
      name: "example-ring-backing",
      dependencies: ["UserPages"],
      path: "Sources/Examples/RingBacking"
    ),
    .target(
      name: "TestSupport",
      dependencies: ["SeededRandom", "UserPages"],
      path: "Tests/TestSupport"
    ),
    .testTarget(
      name: "TestSupportTests",
      dependencies: ["TestSupport"]
    ),
    .testTarget(
      name: "UserPagesTests",
      dependencies: ["UserPages", "TestSupport"]
    ),
    .testTarget(
      name: "ModelTests",
      dependencies: ["UserPages", "TestSupport"]
    ),
    .testTarget(
      name: "TortureTests",
      dependencies: ["UserPages", "TestSupport"]
    ),
    .testTarget(
      name: "RCUTests",
      dependencies: ["UserPages", "TestSupport", "ForkProbe"]
    ),
    // A program that forks while it uses the library. Tests start it: a process full of test threads does not fork itself.
    .executableTarget(
      name: "ForkProbe",
      dependencies: ["UserPages"],
      path: "Tests/ForkProbe"
    ),
    // A program with races on purpose, and what tells whether the sanitizers are listening.
    .executableTarget(
      name: "RaceProbe",
      dependencies: ["UserPages"],
      path: "Tests/RaceProbe"
    ),
    .target(
      name: "CSanitizerProbe",
      path: "Tests/CSanitizerProbe"
    ),
    .testTarget(
      name: "SanitizerTests",
      dependencies: ["CSanitizerProbe", "RaceProbe", "TestSupport"]
    ),
    .testTarget(
      name: "StructureTests"
    ),
    // Runs a model checker over Tests/Models, where there is one.
    .testTarget(
      name: "ProtocolTests",
      dependencies: ["TestSupport"]
    ),
    // Reads Tests/scenarios from where it lies, and runs the tool that is built beside it.
    .testTarget(
      name: "ScenarioTests",
      dependencies: ["Scenario", "TestSupport", "UserPages", "gup"]
    ),
    .testTarget(
      name: "EROFSTests",
      dependencies: ["SeededRandom", "TestSupport", "UserPages", "UserPagesEROFS", "gup"]
    ),
    // Asks the running kernel through `gup`, which is built beside the tests.
    .testTarget(
      name: "FuzzTests",
      dependencies: ["Fuzz", "Scenario", "TestSupport", "UserPages", "gup"]
    ),
    // The C face, driven from C. The dynamic library is built beside it.
    .target(
      name: "CFaceDriver",
      dependencies: ["UserPagesC"],
      path: "Tests/CFaceDriver",
      cSettings: [.headerSearchPath("../../Sources/UserPagesC/include"), .define("_GNU_SOURCE")]
    ),
    .testTarget(
      name: "UserPagesCTests",
      dependencies: ["CFaceDriver", "TestSupport", "UserPagesC"]
    ),
    // SQLite in this process and the program `sqlite3` beside it, over the VFS.
    .testTarget(
      name: "UserPagesSQLiteTests",
      dependencies: ["CSQLite", "SeededRandom", "TestSupport", "UserPagesSQLite"],
      linkerSettings: [.linkedLibrary("sqlite3")]
    ),
    .testTarget(
      name: "LayoutTests",
      dependencies: ["UserPages", "TestSupport"],
      swiftSettings: entryFormat
    ),
  ],
  swiftLanguageModes: [.v6]
)

// What `.ci/run` builds with a sanitizer or for another entry format: the library and its own tests, a third less to
// compile. `faces` adds C and SQLite.
if let chosen = Context.environment["GUP_TARGETS"] {
  var kept: Set = [
    "CURCU", "CPlatform", "UserPages", "SeededRandom", "TestSupport", "TestSupportTests", "UserPagesTests",
    "ModelTests", "TortureTests", "RCUTests", "ForkProbe", "RaceProbe", "CSanitizerProbe", "SanitizerTests",
    "LayoutTests",
  ]
  if chosen == "faces" {
    kept.formUnion([
      "CUserPages", "UserPagesC", "CFaceDriver", "UserPagesCTests", "CSQLite", "UserPagesSQLite",
      "UserPagesSQLiteTests",
    ])
  }
  package.targets.removeAll { !kept.contains($0.name) }
  package.products = []
}
