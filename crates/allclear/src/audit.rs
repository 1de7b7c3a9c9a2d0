//! `allclear audit`: the chain of all that was done with a case, its signed head, and the keys for it.

use crate::args::CaseAt;
use crate::case::{failure, open};
use crate::exit::{self, Failure};
use crate::{Outcome, output, settings};
use clap::{Args, Subcommand};
use response::signing::{self, Signer, SigningError};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use store::{Chain, Head, Wrong};

/// Form of a signed head.
const FORMAT: &str = "allclear/audit-head/1";

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Whether every entry stands as it was written, and, given a head that was signed earlier, whether that is still part of the
    /// chain. Exit code 1: something was changed, removed or put elsewhere.
    Verify(Verify),
    /// Sign the chain's last entry: whoever keeps the file can show later that nothing before it was changed.
    Sign(Sign),
    /// Keys that sign, in minisign's form.
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    at: CaseAt,

    /// A head that `allclear audit sign` wrote, with its signature beside it (FILE.minisig).
    #[arg(long, value_name = "FILE", requires = "key")]
    head: Option<PathBuf>,

    /// The public key that the head was signed with: a .pub file, or the key itself.
    #[arg(long, value_name = "FILE|KEY")]
    key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    at: CaseAt,

    #[command(flatten)]
    key: SecretKey,

    /// Write the head to this file, and its signature to FILE.minisig.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

/// A key that signs.
#[derive(Debug, Args)]
pub(crate) struct SecretKey {
    /// The secret key: a file that `allclear audit key new` or minisign wrote.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// The file whose first line is the password of the key, where it has one.
    #[arg(long, value_name = "FILE")]
    key_password: Option<PathBuf>,
}

impl SecretKey {
    /// One without a password.
    pub(crate) fn of(key: PathBuf) -> Self {
        Self {
            key,
            key_password: None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key: FILE holds the secret one, FILE.pub the public one.
    New(NewKey),
    /// Show the public key of a secret one.
    Show(SecretKey),
}

#[derive(Debug, Args)]
pub(crate) struct NewKey {
    /// Where it is written; a file that is there is not replaced.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Lock it with the first line of this file.
    #[arg(long, value_name = "FILE")]
    key_password: Option<PathBuf>,
}

pub(crate) fn run(command: &AuditCommand) -> Outcome {
    match command {
        AuditCommand::Verify(verify) => run_verify(verify),
        AuditCommand::Sign(sign) => run_sign(sign),
        AuditCommand::Key(KeyCommand::New(new)) => new_key(new),
        AuditCommand::Key(KeyCommand::Show(key)) => {
            let signer = signer(key)?;
            output::say(&signer.public())?;
            Ok(ExitCode::from(exit::ASSURED))
        }
    }
}

/// What is signed.
#[derive(Serialize, Deserialize)]
struct SignedHead {
    format: String,
    case: String,
    head: Head,
}

fn run_verify(verify: &Verify) -> Outcome {
    let signed = verify.head.as_deref().map(|path| {
        let key = public_key(verify.key.as_deref().unwrap_or_default())?;
        read_head(path, &key)
    });
    let signed = signed.transpose()?;
    let case = open(&verify.at)?;
    let chain = case.verify_chain().map_err(failure)?;
    let mut whole = chain.broken_count == 0;
    let mut lines = told(&chain);
    if let Some(signed) = signed {
        if signed.case != case.id() {
            return Err(Failure::usage(
                "the head is of another case",
                "give the head that was signed for this one",
            ));
        }
        if case.holds(&signed.head).map_err(failure)? {
            lines.push(format!(
                "the signed head is part of it: entry {} and all before it stand as they were",
                signed.head.seq
            ));
        } else {
            whole = false;
            lines.push(format!(
                "entry {} is not as it was signed: the chain was cut off or written anew",
                signed.head.seq
            ));
        }
    }
    lines.push(
        if whole {
            "the audit chain is whole"
        } else {
            "the audit chain is broken"
        }
        .to_owned(),
    );
    output::say(&lines.join("\n"))?;
    Ok(ExitCode::from(if whole {
        exit::ASSURED
    } else {
        exit::NOT_ASSURED
    }))
}

fn told(chain: &Chain) -> Vec<String> {
    let mut lines = vec![format!(
        "{} entries, the last one {} {}",
        chain.entries, chain.head.seq, chain.head.hash
    )];
    for broken in &chain.broken {
        lines.push(match broken.wrong {
            Wrong::Missing { from } => format!(
                "entry {}: entries from {from} on are missing before it, or it stands elsewhere",
                broken.seq
            ),
            Wrong::Unbound => format!(
                "entry {}: it does not follow the one before; one of the two was replaced",
                broken.seq
            ),
            Wrong::Changed => format!("entry {}: it was changed", broken.seq),
        });
    }
    let told = chain.broken.len() as u64;
    if chain.broken_count > told {
        lines.push(format!("and {} more", chain.broken_count - told));
    }
    lines
}

fn run_sign(sign: &Sign) -> Outcome {
    let signer = signer(&sign.key)?;
    let case = open(&sign.at)?;
    let chain = case.verify_chain().map_err(failure)?;
    if chain.broken_count > 0 {
        return Err(Failure::usage(
            "the audit chain is broken, and a broken chain is not signed",
            "`allclear audit verify` says where",
        ));
    }
    let head = SignedHead {
        format: FORMAT.to_owned(),
        case: case.id().to_owned(),
        head: chain.head,
    };
    let mut bytes = serde_json::to_vec_pretty(&head).map_err(Failure::fault)?;
    bytes.push(b'\n');
    write_signed(&sign.output, &bytes, &signer, "head of an audit chain")?;
    output::say(&format!(
        "entry {} signed: keep {} and {} where nobody who can write to the case can write",
        head.head.seq,
        sign.output.display(),
        signature_of(&sign.output).display()
    ))?;
    Ok(ExitCode::from(exit::ASSURED))
}

fn read_head(path: &Path, key: &str) -> Result<SignedHead, Failure> {
    let bytes = settings::read(path)?;
    let signature = as_text(&settings::read(&signature_of(path))?);
    signing::check(&bytes, &signature, key).map_err(|error| {
        Failure::usage(
            format!("{}: {error}", path.display()),
            "give the head, its signature and the key as they were kept",
        )
    })?;
    serde_json::from_slice(&bytes)
        .ok()
        .filter(|head: &SignedHead| head.format == FORMAT)
        .ok_or_else(|| {
            Failure::usage(
                format!("{} is no head of an audit chain", path.display()),
                "give a file that `allclear audit sign` wrote",
            )
        })
}

fn new_key(new: &NewKey) -> Outcome {
    let password = password(new.key_password.as_deref())?;
    let key = signing::new_key(password.as_deref()).map_err(Failure::fault)?;
    let public = with_ending(&new.file, "pub");
    create(&new.file, key.secret.as_bytes())?;
    create(&public, key.public.as_bytes())?;
    output::say(&format!(
        "secret key {}, public key {}: give the public one to whoever is to check, by a way of its own",
        new.file.display(),
        public.display()
    ))?;
    Ok(ExitCode::from(exit::ASSURED))
}

/// A new file that only its owner can read.
fn create(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|error| {
            Failure::usage(
                format!("cannot write {}: {error}", path.display()),
                "name a file that does not exist yet, in a folder that does",
            )
        })
}

/// The key that was named, unlocked.
pub(crate) fn signer(key: &SecretKey) -> Result<Signer, Failure> {
    let text = as_text(&settings::read(&key.key)?);
    let password = password(key.key_password.as_deref())?;
    Signer::read(&text, password.as_deref()).map_err(|error| {
        let advice = match error {
            SigningError::Locked | SigningError::Password => {
                "give the file with its password by --key-password"
            }
            _ => "`allclear audit key new FILE` makes a key",
        };
        Failure::usage(format!("{}: {error}", key.key.display()), advice)
    })
}

fn password(path: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let text = as_text(&settings::read(path)?);
    Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
}

/// A public key: the text of the file that was named, or what was given itself.
pub(crate) fn public_key(given: &str) -> Result<String, Failure> {
    let path = Path::new(given);
    if path.is_file() {
        Ok(as_text(&settings::read(path)?))
    } else {
        Ok(given.to_owned())
    }
}

/// Writes bytes, and their signature beside them.
pub(crate) fn write_signed(
    path: &Path,
    bytes: &[u8],
    signer: &Signer,
    what: &str,
) -> Result<String, Failure> {
    let signature = signer.sign(bytes, what).map_err(Failure::fault)?;
    output::to_file(path, &mut |out| out.write_all(bytes))?;
    output::to_file(&signature_of(path), &mut |out| {
        out.write_all(signature.as_bytes())
    })?;
    Ok(signature)
}

/// Where the signature of a file stands.
pub(crate) fn signature_of(path: &Path) -> PathBuf {
    with_ending(path, "minisig")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

pub(crate) fn as_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
