//! Private keys under a passphrase, in cosign's form: PEM around JSON that names scrypt and NaCl's
//! secretbox (XSalsa20 and Poly1305) around PKCS#8.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::elliptic_curve::zeroize::Zeroizing;
use p256::pkcs8::SecretDocument;
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use subtle::ConstantTimeEq as _;

use crate::key_error::{KeyError, MAX_PEM};
use crate::pem;
use crate::private_key::PrivateKey;
use crate::strict_json::{self, Members};

/// Bytes of the tag that a secretbox begins with.
const TAG: usize = 16;
/// What new keys are encrypted with, as cosign does: 64 MiB and about a tenth of a second.
const LOG_N: u8 = 16;
const R: u32 = 8;
const P: u32 = 1;
/// Most memory that opening a key may take, in bytes (128·N·r). A file can't ask for more.
const MAX_MEMORY: u64 = 256 << 20;
/// Most passes that opening a key may take.
const MAX_P: u64 = 16;

/// How a key is encrypted.
struct Sealed {
    log_n: u8,
    r: u32,
    p: u32,
    salt: Vec<u8>,
    nonce: [u8; 24],
    ciphertext: Vec<u8>,
}

impl PrivateKey {
    /// Whether a text is a key under a passphrase, by its first line alone.
    pub fn is_encrypted(text: &str) -> bool {
        matches!(
            pem::label(text.trim_start()),
            Some(pem::SIGSTORE | pem::COSIGN)
        )
    }

    /// Opens a key that cosign or [`PrivateKey::to_encrypted_pem`] wrote. Takes up to 256 MiB and a
    /// second; a file that asks for more is refused.
    ///
    /// # Errors
    /// [`KeyError::WrongPassphrase`], [`KeyError::Encryption`] for what isn't understood, and those of
    /// [`PrivateKey::from_pem`].
    pub fn from_encrypted_pem(text: &str, passphrase: &[u8]) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.len() > MAX_PEM {
            return Err(KeyError::TooLong { size: text.len() });
        }
        let label = match pem::label(text) {
            Some(pem::COSIGN) => pem::COSIGN,
            _ => pem::SIGSTORE,
        };
        pem::expect_label(text, label)?;
        let json =
            pem::decode(text, label).ok_or_else(|| refused("not base64 between its lines"))?;
        let plain = open(&parse(&json)?, passphrase)?;
        let document =
            SecretDocument::try_from(plain.as_slice()).map_err(|error| KeyError::broken(&error))?;
        let info = document
            .decode_msg()
            .map_err(|error| KeyError::broken(&error))?;
        Self::from_pkcs8(info)
    }

    /// The key under a passphrase, as cosign writes and reads it; ends in a newline.
    ///
    /// # Errors
    /// [`KeyError::Random`] where the kernel gives no random bytes.
    pub fn to_encrypted_pem(&self, passphrase: &[u8]) -> Result<String, KeyError> {
        let mut random = [0; 56];
        getrandom::fill(&mut random).map_err(|error| KeyError::Random {
            reason: error.to_string(),
        })?;
        let (salt, nonce) = random.split_at(32);
        let mut sealed = Sealed {
            log_n: LOG_N,
            r: R,
            p: P,
            salt: salt.to_vec(),
            nonce: nonce.try_into().map_err(|_| refused("no nonce"))?,
            ciphertext: Vec::new(),
        };
        let plain = self.to_pkcs8();
        let (mut cipher, mac) = keys(&sealed, passphrase)?;
        let mut body = plain.to_vec();
        cipher.apply_keystream(&mut body);
        let tag = mac.compute_unpadded(&body);
        sealed.ciphertext = [tag.as_slice(), &body].concat();
        Ok(pem::encode(pem::SIGSTORE, render(&sealed).as_bytes())
            .as_str()
            .to_owned())
    }
}

/// The cipher, its first 32 bytes spent on the key of the authenticator (NaCl's `crypto_secretbox`).
fn keys(sealed: &Sealed, passphrase: &[u8]) -> Result<(XSalsa20, Poly1305), KeyError> {
    let params = scrypt::Params::new(sealed.log_n, sealed.r, sealed.p)
        .map_err(|_| refused("impossible scrypt parameters"))?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(passphrase, &sealed.salt, &params, key.as_mut_slice())
        .map_err(|_| refused("impossible scrypt parameters"))?;
    let mut cipher = XSalsa20::new((&*key).into(), (&sealed.nonce).into());
    let mut first = Zeroizing::new([0; 32]);
    cipher.apply_keystream(first.as_mut_slice());
    let mac = Poly1305::new((&*first).into());
    Ok((cipher, mac))
}

fn open(sealed: &Sealed, passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (tag, body) = sealed
        .ciphertext
        .split_at_checked(TAG)
        .ok_or_else(|| refused("its ciphertext is too short"))?;
    let (mut cipher, mac) = keys(sealed, passphrase)?;
    if !bool::from(mac.compute_unpadded(body).as_slice().ct_eq(tag)) {
        return Err(KeyError::WrongPassphrase);
    }
    let mut plain = Zeroizing::new(body.to_vec());
    cipher.apply_keystream(&mut plain);
    Ok(plain)
}

/// Reads the JSON, and refuses what would take too much memory or time before any is spent.
fn parse(json: &[u8]) -> Result<Sealed, KeyError> {
    let broken = |reason: String| KeyError::Encryption { reason };
    let root = strict_json::parse(json).map_err(broken)?;
    let read = || -> Result<Sealed, String> {
        let mut root = Members::root(root, "the key")?;
        let mut kdf = root.object("kdf")?;
        let mut params = kdf.object("params")?;
        let mut cipher = root.object("cipher")?;
        let (name, box_name) = (kdf.text("name")?, cipher.text("name")?);
        if name != "scrypt" || box_name != "nacl/secretbox" {
            let (name, box_name) = (
                crate::one_line::quoted(&name),
                crate::one_line::quoted(&box_name),
            );
            return Err(format!(
                "{name} with {box_name} is not scrypt with nacl/secretbox"
            ));
        }
        let (n, r, p) = (params.whole("N")?, params.whole("r")?, params.whole("p")?);
        let salt = base64(&kdf.text("salt")?, "kdf.salt")?;
        let nonce = base64(&cipher.text("nonce")?, "cipher.nonce")?;
        let ciphertext = base64(&root.text("ciphertext")?, "ciphertext")?;
        for members in [params, kdf, cipher, root] {
            members.finish()?;
        }
        let memory = n.checked_mul(r).and_then(|blocks| blocks.checked_mul(128));
        let affordable = memory.is_some_and(|memory| memory <= MAX_MEMORY) && p <= MAX_P;
        if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 || !affordable {
            return Err(format!(
                "scrypt with N={n}, r={r}, p={p} is not possible within 256 MiB and {MAX_P} passes"
            ));
        }
        let narrow = |number: u64| u32::try_from(number).map_err(|error| error.to_string());
        Ok(Sealed {
            log_n: u8::try_from(n.trailing_zeros()).map_err(|error| error.to_string())?,
            r: narrow(r)?,
            p: narrow(p)?,
            salt,
            nonce: nonce
                .try_into()
                .map_err(|_| "cipher.nonce is not 24 bytes long".to_owned())?,
            ciphertext,
        })
    };
    read().map_err(broken)
}

fn base64(text: &str, member: &str) -> Result<Vec<u8>, String> {
    STANDARD
        .decode(text)
        .map_err(|_| format!("{member} is not base64"))
}

fn render(sealed: &Sealed) -> String {
    let n = 1_u64 << sealed.log_n;
    let (r, p) = (sealed.r, sealed.p);
    let salt = STANDARD.encode(&sealed.salt);
    let nonce = STANDARD.encode(sealed.nonce);
    let ciphertext = STANDARD.encode(&sealed.ciphertext);
    format!(
        r#"{{"kdf":{{"name":"scrypt","params":{{"N":{n},"r":{r},"p":{p}}},"salt":"{salt}"}},"cipher":{{"name":"nacl/secretbox","nonce":"{nonce}"}},"ciphertext":"{ciphertext}"}}"#
    )
}

fn refused(reason: &str) -> KeyError {
    KeyError::Encryption {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
