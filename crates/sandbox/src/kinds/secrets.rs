//! Votes on polls and answers to events: encrypted once more, with the secret of the message that they are about.
//!
//! The key is HKDF-SHA256 of that secret over its id, its author, who answers, and what it is for; AES-256-GCM
//! authenticates the id and who answers (`WAWebAddonEncryption` in WhatsApp Web, `wacore::secret_enc_addon`). Both
//! people are named the way the chat names them, by number or by hidden address, and never one each way.

use rand::RngExt;
use wacore::secret_enc_addon::{AddonContext, ModificationType, decrypt_addon, derive_use_case_secret};
use wacore_libsignal::crypto::aes_256_gcm_encrypt;

use super::find::Found;
use crate::content;
use crate::error::{Failure, Refusal};
use crate::phones::{Form, Phone};
use crate::turn::Turn;

const SECRET_BYTES: usize = 32;

/// A secret for a new message of the phone.
pub(crate) fn fresh(turn: &mut Turn<'_>, phone: &Phone) -> Result<Vec<u8>, Failure> {
    let secret: [u8; SECRET_BYTES] = turn.next_of(phone.network, "secret", &phone.number)?.random();
    Ok(secret.to_vec())
}

/// What is sent: the ciphertext with its tag, and the nonce.
pub(crate) struct Sealed {
    pub payload: Vec<u8>,
    pub iv: Vec<u8>,
}

/// Encrypts what the phone answers to a message.
pub(crate) fn seal(
    turn: &mut Turn<'_>,
    phone: &Phone,
    about: &Found,
    id: &str,
    form: Form,
    purpose: ModificationType,
    plain: &[u8],
) -> Result<Sealed, Failure> {
    let secret = content::secret(&about.message)
        .ok_or_else(|| Refusal::field("/target", "this message came without a secret to answer with"))?;
    let (author, answering) = (about.author.jid(form).to_string(), phone.jid(form).to_string());
    let context = AddonContext {
        stanza_id: id,
        parent_msg_original_sender: &author,
        modification_sender: &answering,
        modification_type: purpose,
    };
    let key = derive_use_case_secret(secret, &context).map_err(Failure::protocol)?;
    let iv: [u8; 12] = turn.next_of(phone.network, "nonce", &phone.number)?.random();
    let bound = [id.as_bytes(), &[0], answering.as_bytes()].concat();
    let mut payload = Vec::new();
    aes_256_gcm_encrypt(&key, &iv, &bound, plain, &mut payload).map_err(Failure::protocol)?;
    Ok(Sealed { payload, iv: iv.to_vec() })
}

/// Decrypts what somebody answered; `None` when it was not made for this message, or by somebody else.
pub(crate) fn open(
    about: &Found,
    id: &str,
    answering: &Phone,
    purpose: ModificationType,
    payload: Option<&[u8]>,
    iv: Option<&[u8]>,
) -> Option<Vec<u8>> {
    let secret = content::secret(&about.message)?;
    [Form::Pn, Form::Lid].into_iter().find_map(|form| {
        let (author, answering) = (about.author.jid(form).to_string(), answering.jid(form).to_string());
        let context = AddonContext {
            stanza_id: id,
            parent_msg_original_sender: &author,
            modification_sender: &answering,
            modification_type: purpose,
        };
        decrypt_addon(payload?, iv?, secret, &context).ok()
    })
}
