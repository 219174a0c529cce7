// swift-tools-version: 6.2
import Foundation
import PackageDescription

// Peers that `pins` and `pool` compare with; left out where they are not installed.
let hasTBB = FileManager.default.fileExists(atPath: "/usr/include/tbb/concurrent_hash_map.h")
let hasRocksDB = FileManager.default.fileExists(atPath: "/usr/include/rocksdb/cache.h")

// A package of its own, so that nothing needed to measure the library reaches a program that links it.
let package = Package(
  name: "Benchmarks",
  products: [
    .executable(name: "oltp", targets: ["oltp"]),
    .executable(name: "pins", targets: ["pins"]),
    .executable(name: "pool", targets: ["pool"]),
    .executable(name: "faults", targets: ["faults"]),
    .executable(name: "sections", targets: ["sections"]),
    .executable(name: "sqlite", targets: ["sqlite"]),
  ],
  dependencies: [
    .package(name: "user-pages", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    // What Swift's view of the C library does not show (O_DIRECT, thread affinity) and CRC32C in hardware.
    .target(name: "CBenchmark"),
    // The pin protocols written by hand in C: the floor that the library is compared with.
    .target(
      name: "CFloor",
      cxxSettings: hasTBB ? [.define("HAVE_TBB")] : [],
      linkerSettings: [
        .linkedLibrary("urcu-bp"), .linkedLibrary("urcu-common"), .linkedLibrary("urcu-cds"),
      ] + (hasTBB ? [.linkedLibrary("tbb")] : [])
    ),
    // Buffer pools that a program asks for each page.
    .target(
      name: "CPools",
      cxxSettings: hasRocksDB ? [.define("HAVE_ROCKSDB")] : [],
      linkerSettings: hasRocksDB ? [.linkedLibrary("rocksdb")] : []
    ),
    // Read-side sections of each flavour of liburcu.
    .target(
      name: "CSections",
      linkerSettings: [
        .linkedLibrary("urcu-bp"), .linkedLibrary("urcu-memb"), .linkedLibrary("urcu-mb"), .linkedLibrary("urcu-qsbr"),
        .linkedLibrary("urcu-common"),
      ]
    ),
    // Threads, clocks, medians, tables: what every tool here needs.
    .target(
      name: "Measuring",
      dependencies: ["CBenchmark", .product(name: "ArgumentParser", package: "swift-argument-parser")]
    ),
    .executableTarget(
      name: "oltp",
      dependencies: [
        "CBenchmark",
        "Measuring",
        .product(name: "UserPages", package: "user-pages"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ],
      path: "Sources/OLTP"
    ),
    // A client: check-hot-path.sh reads its machine code.
    .executableTarget(
      name: "hot-path",
      dependencies: [.product(name: "UserPages", package: "user-pages")],
      path: "Sources/HotPath"
    ),
    .executableTarget(
      name: "pins",
      dependencies: [
        "CFloor",
        "Measuring",
        .product(name: "UserPages", package: "user-pages"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/Pins"
    ),
    .executableTarget(
      name: "pool",
      dependencies: [
        "CBenchmark",
        "CPools",
        "Measuring",
        .product(name: "UserPages", package: "user-pages"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/Pool"
    ),
    .executableTarget(
      name: "faults",
      dependencies: [
        "CBenchmark",
        "Measuring",
        .product(name: "UserPages", package: "user-pages"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/Faults"
    ),
    .executableTarget(
      name: "sections",
      dependencies: [
        "CSections",
        "Measuring",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/Sections"
    ),
    // SQLite of the system. Its statements need no more than its header.
    .target(name: "CSQLite3", linkerSettings: [.linkedLibrary("sqlite3")]),
    // The extension is built beside the program, which loads it as any program does.
    .executableTarget(
      name: "sqlite",
      dependencies: [
        "CSQLite3",
        "Measuring",
        .product(name: "UserPagesSQLite", package: "user-pages"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ],
      path: "Sources/SQLite"
    ),
    // The database's recovery and locks, and the tools as programs.
    .testTarget(
      name: "BenchmarkTests",
      dependencies: ["Measuring", "oltp", "pins", "pool", "faults", "sections"]
    ),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
