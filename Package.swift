// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let fuzzed: [Target.Dependency] = [
    "BatonCore", "BatonConfig", "BatonDaemon", "BatonLock", "BatonSystem", "BatonUsers", "BatonValkey",
    .product(name: "Logging", package: "swift-log"),
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
]

let package = Package(
    name: "baton",
    products: [
        .library(name: "BatonLock", targets: ["BatonLock"]),
        .library(name: "BatonValkey", targets: ["BatonValkey"]),
        .library(name: "BatonSQLite", targets: ["BatonSQLite"]),
        .library(name: "BatonCore", targets: ["BatonCore"]),
        .executable(name: "batond", targets: ["batond"]),
        .executable(name: "batonctl", targets: ["batonctl"]),
        .executable(name: "baton-keeper", targets: ["baton-keeper"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C: one door each.
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CSystemd", providers: [.apt(["libsystemd-dev"])]),
        .target(name: "CLinux"),

        // The pure core: every decision, no import at all.
        .target(name: "BatonCore"),

        // The lock, and the stores behind it.
        .target(
            name: "BatonLock",
            dependencies: ["BatonCore", "BatonSystem", .product(name: "HeapModule", package: "swift-collections")]),
        .target(
            name: "BatonValkey",
            dependencies: [
                "BatonCore", "BatonLock", "BatonSystem", "CHiredis",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        .target(
            name: "BatonSQLite",
            dependencies: [
                "BatonCore", "BatonLock", "BatonSystem", "CLinux",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),

        // The daemon's parts.
        .target(
            name: "BatonConfig",
            dependencies: [
                "BatonCore", "BatonSystem", "BatonUsers", .product(name: "TOMLKit", package: "TOMLKit"),
            ]),
        .target(name: "BatonSystem", dependencies: ["BatonCore", "CLinux"]),
        .target(name: "BatonUsers"),
        .target(
            name: "BatonDaemon",
            dependencies: [
                "BatonCore", "BatonLock", "BatonValkey", "BatonSQLite", "BatonConfig", "BatonSystem", "BatonUsers",
                "CLinux", "CSystemd",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),

        // The programs: arguments and wiring.
        .executableTarget(
            name: "batond",
            dependencies: [
                "BatonConfig", "BatonDaemon", "BatonSystem",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .executableTarget(
            name: "batonctl",
            dependencies: [
                "BatonCore", "BatonConfig", "BatonSystem",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        .executableTarget(
            name: "baton-keeper",
            dependencies: ["BatonCore", "BatonSystem", "CLinux"],
            // One static binary without Foundation: it must not be slowed, or stopped, by a library that is replaced.
            // Sanitizers are libraries, and do without (.ci/sanitize).
            linkerSettings: Context.environment["BATON_SANITIZE"] == nil ? [.unsafeFlags(["-static-executable"])] : []),

        .testTarget(name: "BatonCoreTests", dependencies: ["BatonCore"]),
        .target(
            name: "BatonTestSupport", dependencies: ["BatonCore", "BatonSystem", "BatonValkey"],
            path: "Tests/BatonTestSupport"),
        .testTarget(
            name: "BatonLockTests",
            dependencies: [
                "BatonCore", "BatonLock", "BatonValkey", "BatonSQLite", "BatonSystem", "BatonTestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        // Schedules beside other people's, with the system's time zones.
        .testTarget(name: "TimeZoneTests", dependencies: ["BatonCore", "BatonSystem", "BatonTestSupport"]),
        .testTarget(name: "BatonConfigTests", dependencies: ["BatonConfig", "BatonCore", "BatonSystem"]),
        .testTarget(
            name: "ControlTests",
            dependencies: [
                "BatonCore", "BatonDaemon", "BatonSystem", "BatonTestSupport", "batonctl", "notify-probe",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        // Speaks to a systemd that a test of ControlTests plays, with an environment of its own.
        .executableTarget(
            name: "notify-probe",
            dependencies: ["BatonDaemon", .product(name: "Logging", package: "swift-log")], path: "Tests/NotifyProbe"),
        .testTarget(name: "KeeperTests", dependencies: ["BatonCore", "BatonSystem", "BatonTestSupport", "BatonUsers"]),
        .testTarget(
            name: "FleetTests",
            dependencies: ["BatonConfig", "BatonCore", "BatonSystem", "BatonTestSupport", "BatonValkey"]),
        .executableTarget(name: "test-workload", path: "Tests/TestWorkload"),
        // Everything that reads what others wrote, fed with what has been kept; see the end of this file.
        .testTarget(
            name: "FuzzTests", dependencies: fuzzed, path: "Tests/Fuzzing", exclude: ["Driver.swift", "corpus"]),
        // A whole fleet on simulated time: it needs nothing but the core.
        .target(name: "BatonSimulation", dependencies: ["BatonCore"], path: "Tests/Simulation"),
        .executableTarget(name: "baton-simulate", dependencies: ["BatonSimulation"], path: "Tests/Simulate"),
        .testTarget(name: "SimulationTests", dependencies: ["BatonSimulation"]),
        .executableTarget(name: "bad-line", path: "Tests/BadLine"),
        // Baton's side of the benchmarks of the lock.
        .executableTarget(
            name: "lock-bench", dependencies: ["BatonLock", "BatonValkey", "BatonSQLite"],
            path: "Benchmarks/LockBench"),
    ]
)

// The same files as a program whose main is libFuzzer's. It builds only with --sanitize=fuzzer: .ci/fuzz does.
if Context.environment["BATON_FUZZ"] != nil {
    package.targets.removeAll { $0.name == "FuzzTests" }
    package.targets.append(
        .executableTarget(
            name: "baton-fuzz", dependencies: fuzzed, path: "Tests/Fuzzing",
            exclude: ["FuzzCorpusTests.swift", "corpus"]))
}

let cTargets = ["CLinux", "test-workload", "bad-line"]
for target in package.targets where target.type != .system && !cTargets.contains(target.name) {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .swiftLanguageMode(.v6),
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            .treatAllWarnings(as: .error),
        ]
}
