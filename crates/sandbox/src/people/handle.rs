//! What a person says about themselves, from the control API and from tests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{about, about_text, picture, picture_id, privacy};
use crate::clock::rfc3339;
use crate::devices;
use crate::error::{Failure, Refusal};
use crate::live::Address;
use crate::network::present;
use crate::phone_handle::PhoneHandle;
use crate::phones::{NAME_RULE, Phone, is_name};
use crate::presence;
use crate::store::Query;
use crate::turn::Turn;

/// A change of what a person shows: what is absent stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    /// 1 to 100 characters, without `@`.
    pub name: Option<String>,
    /// Up to 139 characters; an empty one is deleted.
    pub about: Option<String>,
    /// Base64 of up to 1 MiB; `Some(None)` deletes it.
    #[serde(default, deserialize_with = "present")]
    pub picture: Option<Option<String>>,
    /// Whether the person looks at the phone.
    pub present: Option<bool>,
    /// To whom the person shows what, see [`ProfileInfo::privacy`]; what is not named stays.
    pub privacy: Option<BTreeMap<String, String>>,
}

/// What a person shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProfileInfo {
    /// The name, if one was given.
    pub name: Option<String>,
    /// The text, if one was given.
    pub about: Option<String>,
    /// The picture's id, if there is one.
    pub picture_id: Option<String>,
    /// To whom the person shows `last_seen`, `online`, `picture` and `about`, whom they tell what they read
    /// (`read_receipts`), and from whom they take `groups`, `calls` and `messages`: `all`, `contacts`,
    /// `contact_blacklist`, `none`, `match_last_seen` or `known`.
    pub privacy: BTreeMap<String, String>,
}

/// A linked device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompanionInfo {
    /// Its number.
    pub device: u16,
    /// RFC 3339.
    pub linked_at: String,
}

fn info(turn: &Turn<'_>, phone: &Phone) -> Result<ProfileInfo, Failure> {
    Ok(ProfileInfo {
        name: phone.name.clone(),
        about: about_text(turn, phone.id)?.map(|(text, _)| text),
        picture_id: picture_id(turn, phone, phone.id)?,
        privacy: privacy::settings(turn, phone.id)?,
    })
}

impl PhoneHandle {
    /// Its linked devices, the oldest first.
    ///
    /// # Errors
    /// `phone_not_found`.
    pub async fn linked_devices(&self) -> Result<Vec<CompanionInfo>, Refusal> {
        self.call(|turn, phone| {
            let sql = "SELECT id, created_at FROM device WHERE phone = ? ORDER BY id";
            Ok(turn.db.all(sql, [phone.id], |row| {
                Ok(CompanionInfo { device: row.get(0)?, linked_at: rfc3339(row.get(1)?) })
            })?)
        })
        .await
    }

    /// Unlinks a companion: it is logged out, and others learn that it is gone.
    ///
    /// # Errors
    /// `phone_not_found`, `device_not_found`.
    pub async fn unlink(&self, device: u16) -> Result<(), Refusal> {
        self.call(move |turn, phone| {
            let address = Address { phone: phone.id, device };
            if devices::load(turn, address)?.is_none() {
                let detail = "this phone has linked no such device";
                return Err(Refusal::new(404, "device_not_found", detail).into());
            }
            devices::remove(turn, address)
        })
        .await
    }

    /// What others can see.
    ///
    /// # Errors
    /// `phone_not_found`.
    pub async fn profile(&self) -> Result<ProfileInfo, Refusal> {
        self.call(|turn, phone| info(turn, &phone)).await
    }

    /// Changes it; the clients of acquaintances are told.
    ///
    /// # Errors
    /// `phone_not_found`, or an invalid field.
    pub async fn change_profile(&self, change: ProfileChange) -> Result<ProfileInfo, Refusal> {
        use base64::Engine as _;
        let decode = |text: &String| base64::engine::general_purpose::STANDARD.decode(text);
        let bytes = change.picture.as_ref().map(|picture| picture.as_ref().map(decode).transpose());
        let bytes = bytes.transpose().map_err(|_| Refusal::field("/picture", "not base64"))?;
        if change.name.as_ref().is_some_and(|name| !is_name(name)) {
            return Err(Refusal::field("/name", NAME_RULE));
        }
        self.call(move |turn, mut phone| {
            if let Some(name) = change.name {
                turn.db.run("UPDATE phone SET name = ? WHERE id = ?", (&name, phone.id))?;
                phone.name = Some(name);
            }
            if let Some(text) = &change.about {
                about::set(turn, &phone, text)?;
            }
            if let Some(bytes) = &bytes {
                picture::set(turn, &phone, bytes.as_deref()).map_err(|failure| match failure {
                    Failure::Refused(refusal) => Refusal { status: 422, ..refusal }.into(),
                    other => other,
                })?;
            }
            if let Some(settings) = &change.privacy {
                privacy::change(turn, &phone, settings)?;
            }
            if let Some(present) = change.present {
                presence::set(turn, &phone, present)?;
            }
            info(turn, &phone)
        })
        .await
    }
}
