//! Certificates and keys, where a server and its nodes look for them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

const DAY: Duration = Duration::from_hours(24);

/// Who vouches for a server.
#[derive(Debug)]
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut wanted = certificate(name);
        // By this name the signed say who signed.
        wanted.distinguished_name.push(DnType::CommonName, name);
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = CertifiedIssuer::self_signed(wanted, key());
        Self(own.expect("the wish is complete"))
    }
}

/// A server's certificate and key, and the certificate of the authority that its nodes believe.
#[derive(Debug)]
pub(super) struct Files {
    authority: Authority,
    nodes: TempDir,
    server: PathBuf,
    mode: u32,
}

impl Files {
    /// For a server that everybody may read the key of.
    pub(super) fn of_anybody() -> Self {
        let nodes = tempfile::tempdir().expect("there is a place for temporary files");
        fs::set_permissions(nodes.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let server = nodes.path().to_owned();
        Self::new(nodes, server, 0o644)
    }

    /// For a server whose files are in `server` and belong to whom that belongs to.
    pub(super) fn of_the_owner(server: &Path) -> Self {
        let nodes = tempfile::tempdir().expect("there is a place for temporary files");
        Self::new(nodes, server.to_owned(), 0o600)
    }

    fn new(nodes: TempDir, server: PathBuf, mode: u32) -> Self {
        let files = Self {
            authority: Authority::new("authority.test"),
            nodes,
            server,
            mode,
        };
        let Authority(own) = &files.authority;
        fs::write(files.authority_file(), own.pem()).expect("the disk is not full");
        files
    }

    /// Gives the server this certificate, from its next look on.
    pub(super) fn write(&self, wanted: &CertificateParams, Authority(by): &Authority) {
        let key = key();
        let signed = wanted.signed_by(&key, by).expect("the wish is complete");
        let owner = fs::metadata(&self.server).expect("it is there");
        for (file, text) in [
            ("server.crt", signed.pem()),
            ("server.key", key.serialize_pem()),
        ] {
            let path = self.server.join(file);
            fs::write(&path, text).expect("the disk is not full");
            fs::set_permissions(&path, fs::Permissions::from_mode(self.mode)).expect("it is ours");
            chown(&path, Some(owner.uid()), Some(owner.gid())).expect("it is ours");
        }
    }

    /// Whom the nodes believe.
    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(super) fn authority_file(&self) -> PathBuf {
        self.nodes.path().join("authority.pem")
    }

    /// Where the server's are.
    pub(super) fn folder(&self) -> &Path {
        &self.server
    }
}

/// A certificate that is good from yesterday until tomorrow.
pub(super) fn certificate(host: &str) -> CertificateParams {
    let mut wanted = CertificateParams::new([host.to_owned()]).expect("a name");
    wanted.not_before = (SystemTime::now() - DAY).into();
    wanted.not_after = (SystemTime::now() + DAY).into();
    wanted
}

fn key() -> KeyPair {
    KeyPair::generate().expect("the system gives random numbers")
}
