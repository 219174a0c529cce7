// swift-tools-version: 6.2
import PackageDescription

// swift package --package-path Benchmarks/Micro benchmark
//
// Apart from the other benchmarks because its plugin would be built before any of them.
let package = Package(
  name: "Micro",
  dependencies: [
    .package(name: "user-pages", path: "../.."),
    // Without its traits: they interpose on malloc and the Swift runtime, which would be measured too.
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
  ],
  targets: [
    .executableTarget(
      name: "Operations",
      dependencies: [
        .product(name: "UserPages", package: "user-pages"),
        .product(name: "Benchmark", package: "benchmark"),
      ],
      path: "Benchmarks/Operations",
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
    )
  ],
  swiftLanguageModes: [.v6]
)
