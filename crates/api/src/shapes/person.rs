use serde::Serialize;
use utoipa::ToSchema;
use waxwing_domain::{Person, PhoneNumber};

/// A person, group or channel with every address that is known for it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Person)]
pub(crate) struct PersonOut {
    /// The canonical address.
    #[schema(example = "15550001111@s.whatsapp.net")]
    jid: String,
    /// The phone number in E.164, where known.
    #[schema(example = "+15550001111", required)]
    phone: Option<String>,
    /// The hidden user, where known.
    #[schema(example = "900000000000001@lid", required)]
    lid: Option<String>,
    /// The name that the person gave, where known.
    #[schema(example = "Ada", required)]
    name: Option<String>,
}

impl From<&Person> for PersonOut {
    fn from(person: &Person) -> Self {
        Self {
            jid: person.jid.to_string(),
            phone: person.phone.as_ref().map(PhoneNumber::to_string),
            lid: person.lid.as_ref().map(ToString::to_string),
            name: person.name.clone(),
        }
    }
}
