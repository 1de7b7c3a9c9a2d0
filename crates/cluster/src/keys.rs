//! Keys of a cluster: one certificate that all its members share, signed by an authority whose own key is thrown away, so that
//! nobody can add another.

use crate::tls::{AUTHORITY, CERTIFICATE, KEY, NAME};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Why keys cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("cannot make keys")]
    Make(#[from] rcgen::Error),
    #[error("cannot write {}", .0.display())]
    Write(std::path::PathBuf, #[source] std::io::Error),
}

/// Makes keys in a folder, which is made where there is none. A file that is there already is never replaced.
pub fn make(folder: &Path) -> Result<(), KeysError> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority
        .distinguished_name
        .push(DnType::CommonName, "allclear cluster authority");
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let mut member = CertificateParams::new(vec![NAME.to_owned()])?;
    member.distinguished_name.push(DnType::CommonName, NAME);
    member.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    member.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let key = KeyPair::generate()?;
    let certificate = member.signed_by(&key, &issuer)?;

    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| KeysError::Write(path, error)
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let files = [
        (KEY, key.serialize_pem()),
        (CERTIFICATE, certificate.pem()),
        (AUTHORITY, authority_certificate.pem()),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        create(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(failed(&path))?;
    }
    Ok(())
}

/// A new file that only its owner can read.
fn create(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}
