// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "user-pages",
  products: [
    .library(name: "UserPages", targets: ["UserPages"]),
    .executable(name: "gup", targets: ["gup"]),
  ],
  dependencies: [
    // The tool's alone: nothing that links `UserPages` builds it into its program.
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
  ],
  targets: [
    .systemLibrary(
      name: "CLiburcuSystem",
      pkgConfig: "liburcu-bp",
      providers: [.apt(["liburcu-dev"]), .yum(["userspace-rcu-devel"])]
    ),
    .target(
      name: "CLiburcu",
      dependencies: ["CLiburcuSystem"]
    ),
    .target(
      name: "UserPages",
      dependencies: ["CLiburcu"]
    ),
    .target(
      name: "Scenario",
      dependencies: ["UserPages"]
    ),
    .executableTarget(
      name: "gup",
      dependencies: [
        "Scenario",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]
    ),
    .testTarget(
      name: "UserPagesTests",
      dependencies: ["UserPages"]
    ),
  ],
  swiftLanguageModes: [.v6]
)
