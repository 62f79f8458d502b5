//! What can be sent: the fields that every message has, those of each kind, and the schemas that are made of both.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Object, ObjectBuilder, OneOfBuilder, RefOr, Schema, Type},
};
use waxwing_domain::{
    Content, MessageId, SessionId, Text,
    content::{CalendarEvent, ContactCard, Degrees, Location, Poll},
};

use super::{object::objects, yes};
use crate::{Problem, extract::read_value};

/// What every message has.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendCommon {
    /// Who sends.
    #[schema(value_type = String, example = "ses_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    pub(crate) session_id: SessionId,
    /// Who receives: a phone number with country code, or an address.
    #[schema(example = "+15550001111")]
    pub(crate) to: String,
    /// The message that it answers, of the same conversation.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "msg_01KAJ1V7Q6E1P8K3M5R7T9W2YB")]
    pub(crate) reply_to: Option<MessageId>,
    /// Who is mentioned: phone numbers or addresses. Apps show the name in place of `@` and the digits in the text.
    #[serde(default)]
    #[schema(max_items = 1024, example = json!(["+15550002222"]))]
    pub(crate) mentions: Option<Vec<String>>,
    /// Scheduled messages are not available yet: only null.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) send_at: Option<Timestamp>,
    /// Whether it may be looked at once: only media.
    #[serde(default)]
    #[schema(default = false)]
    pub(crate) view_once: Option<bool>,
    /// Given up at this time; 24 hours from now when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) expires_at: Option<Timestamp>,
    /// Echoed in every event about the message; up to 4 KB of JSON.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(crate) metadata: Option<Map<String, Value>>,
}

/// The fields of one kind.
trait Kind: DeserializeOwned + ToSchema {
    const NAME: &'static str;

    fn content(self) -> Result<Content, Problem>;
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TextFields {
    /// The text.
    #[schema(min_length = 1, max_length = 65536, example = "Your table is ready.")]
    text: String,
    /// Whether a preview of the first link is wanted.
    #[serde(default = "yes")]
    #[schema(default = true)]
    link_preview: bool,
}

impl Kind for TextFields {
    const NAME: &'static str = "text";

    fn content(self) -> Result<Content, Problem> {
        Ok(Content::Text { text: Text(self.text), link_preview: self.link_preview })
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LocationFields {
    /// In degrees, north is positive.
    #[schema(minimum = -90, maximum = 90, example = 52.520008)]
    latitude: f64,
    /// In degrees, east is positive.
    #[schema(minimum = -180, maximum = 180, example = 13.404954)]
    longitude: f64,
    /// What is there.
    #[schema(min_length = 1, max_length = 1024, example = "Waxwing")]
    name: Option<String>,
    /// Its address.
    #[schema(min_length = 1, max_length = 1024, example = "1 Rowan Lane, Berlin")]
    address: Option<String>,
}

impl Kind for LocationFields {
    const NAME: &'static str = "location";

    fn content(self) -> Result<Content, Problem> {
        let angle = |field, degrees: f64, most| {
            Degrees::new(degrees)
                .ok_or_else(|| Problem::field(field, format!("expected -{most} to {most} degrees")))
        };
        Ok(Content::Location(Location {
            latitude: angle("/latitude", self.latitude, 90)?,
            longitude: angle("/longitude", self.longitude, 180)?,
            name: self.name.map(Text),
            address: self.address.map(Text),
            live: false,
        }))
    }
}

/// A card of an address book: either its fields or a vCard.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SendContactCard)]
struct ContactIn {
    /// Who it is. Needed where there is no `vcard`.
    #[schema(min_length = 1, max_length = 1024, example = "Ada Lovelace")]
    name: Option<String>,
    /// The phone numbers.
    #[schema(max_items = 20, example = json!(["+15550002222"]))]
    phones: Option<Vec<String>>,
    /// For whom the person works.
    #[schema(min_length = 1, max_length = 1024)]
    organization: Option<String>,
    /// The mail address.
    #[schema(min_length = 1, max_length = 1024, example = "ada@example.com")]
    email: Option<String>,
    /// A vCard (RFC 6350) of up to 12 KiB, in place of the other fields.
    #[schema(max_length = 12288)]
    vcard: Option<String>,
}

impl ContactIn {
    fn card(self, place: &str) -> Result<ContactCard, Problem> {
        let Self { name, phones, organization, email, vcard } = self;
        let others = name.is_some() || phones.is_some() || organization.is_some() || email.is_some();
        match (vcard, name) {
            (Some(_), _) if others => {
                Err(Problem::field(format!("{place}/vcard"), "expected either a vcard or the other fields"))
            },
            (Some(vcard), _) => ContactCard::parse(Text(vcard), None)
                .map_err(|error| Problem::field(format!("{place}{}", error.field), error.expected)),
            (None, Some(name)) => {
                let phones = phones.unwrap_or_default().into_iter().map(Text).collect();
                Ok(ContactCard::new(Text(name), phones, organization.map(Text), email.map(Text)))
            },
            (None, None) => Err(Problem::field(format!("{place}/name"), "this field is needed")),
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ContactFields {
    /// The cards.
    #[serde(deserialize_with = "objects")]
    #[schema(min_items = 1, max_items = 20)]
    contacts: Vec<ContactIn>,
}

impl Kind for ContactFields {
    const NAME: &'static str = "contact";

    fn content(self) -> Result<Content, Problem> {
        let cards = self.contacts.into_iter().enumerate();
        let cards = cards.map(|(index, contact)| contact.card(&format!("/contacts/{index}")));
        Ok(Content::Contact { contacts: cards.collect::<Result<_, _>>()? })
    }
}

fn one() -> u32 {
    1
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PollFields {
    /// What is asked.
    #[schema(min_length = 1, max_length = 1024, example = "Red or white?")]
    question: String,
    /// What can be chosen: different texts.
    #[schema(min_items = 2, max_items = 12, example = json!(["Red", "White"]))]
    options: Vec<String>,
    /// Most options that one person may choose; 0 for any number.
    #[serde(default = "one")]
    #[schema(default = 1, maximum = 12)]
    max_choices: u32,
}

impl Kind for PollFields {
    const NAME: &'static str = "poll";

    fn content(self) -> Result<Content, Problem> {
        let options = self.options.into_iter().map(Text).collect();
        Ok(Content::Poll(Poll { question: Text(self.question), options, max_choices: self.max_choices }))
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EventFields {
    /// What it is.
    #[schema(min_length = 1, max_length = 1024, example = "Wine tasting")]
    name: String,
    /// When it begins. WhatsApp keeps the second.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// When it ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Timestamp>,
    /// More about it.
    #[schema(min_length = 1, max_length = 65536)]
    description: Option<String>,
    /// Where it is, in words.
    #[schema(min_length = 1, max_length = 1024, example = "1 Rowan Lane, Berlin")]
    location: Option<String>,
}

impl Kind for EventFields {
    const NAME: &'static str = "event";

    fn content(self) -> Result<Content, Problem> {
        let Self { name, starts_at, ends_at, description, location } = self;
        let second = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time);
        Ok(Content::Event(CalendarEvent {
            name: Text(name),
            starts_at: second(starts_at),
            ends_at: ends_at.map(second),
            description: description.map(Text),
            location: location.map(Text),
            canceled: false,
        }))
    }
}

/// Calls a macro with every kind.
macro_rules! with_kinds {
    ($call:ident) => {
        $call! {
            TextFields;
            LocationFields;
            ContactFields;
            PollFields;
            EventFields;
        }
    };
}

/// A message to send, as it was read.
pub(crate) struct SendMessage {
    pub(crate) common: SendCommon,
    pub(crate) content: Content,
}

/// The body of `sendMessage`: one of the kinds, by its `type`.
pub(crate) struct SendMessageIn;

impl SendMessage {
    /// Reads the body of a request. `kind` is the kind where the route says it, else the body has a `type`.
    pub(crate) fn read(mut body: Map<String, Value>, kind: Option<&str>) -> Result<Self, Problem> {
        let named = match kind {
            Some(kind) => kind.to_owned(),
            None => match body.remove("type") {
                Some(Value::String(kind)) => kind,
                Some(_) => return Err(Problem::field("/type", "expected a text")),
                None => return Err(Problem::field("/type", "this field is needed")),
            },
        };
        macro_rules! by_kind {
            ($($fields:ident;)*) => {
                $(if named == $fields::NAME {
                    return Self::of::<$fields>(body);
                })*
            };
        }
        with_kinds!(by_kind);
        Err(Problem::field("/type", format!("expected one of {}", Self::kinds().join(", "))))
    }

    fn kinds() -> Vec<&'static str> {
        macro_rules! names {
            ($($fields:ident;)*) => { vec![$($fields::NAME,)*] };
        }
        with_kinds!(names)
    }

    /// The fields that all have are read first, and the rest is the kind's.
    fn of<T: Kind>(body: Map<String, Value>) -> Result<Self, Problem> {
        let common = properties(SendCommon::schema()).properties;
        let (common, fields): (Map<_, _>, Map<_, _>) =
            body.into_iter().partition(|(name, _)| common.contains_key(name));
        let common = read_value(Value::Object(common))?;
        Ok(Self { common, content: read_value::<T>(Value::Object(fields))?.content()? })
    }
}

/// The schema of an object, which all of ours here are.
fn properties(schema: RefOr<Schema>) -> Object {
    match schema {
        RefOr::T(Schema::Object(object)) => object,
        _ => Object::new(),
    }
}

/// One object of the common fields and the kind's, with its `type` where the body says it.
fn body_of<T: Kind>(with_type: bool) -> Schema {
    let mut body = properties(SendCommon::schema());
    let fields = properties(T::schema());
    body.properties.extend(fields.properties);
    body.required.extend(fields.required);
    if with_type {
        let kind = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([T::NAME])).build();
        body.properties.insert("type".to_owned(), RefOr::T(Schema::Object(kind)));
        body.required.push("type".to_owned());
        body.title = Some(T::NAME.to_owned());
    }
    Schema::Object(body)
}

impl PartialSchema for SendMessageIn {
    fn schema() -> RefOr<Schema> {
        let mut kinds = OneOfBuilder::new().description(Some("A message to send, by its kind."));
        macro_rules! add {
            ($($fields:ident;)*) => {
                $(kinds = kinds.item(body_of::<$fields>(true));)*
            };
        }
        with_kinds!(add);
        RefOr::T(Schema::OneOf(kinds.build()))
    }
}

impl ToSchema for SendMessageIn {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("SendMessage")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        macro_rules! add {
            ($($fields:ident;)*) => { $($fields::schemas(schemas);)* };
        }
        with_kinds!(add);
    }
}

/// The body of a route that says the kind.
macro_rules! shortcut {
    ($fields:ident, $shortcut:ident, $name:literal) => {
        /// The body of a route that says the kind.
        pub(crate) struct $shortcut;

        impl PartialSchema for $shortcut {
            fn schema() -> RefOr<Schema> {
                RefOr::T(body_of::<$fields>(false))
            }
        }

        impl ToSchema for $shortcut {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $fields::schemas(schemas);
            }
        }
    };
}

shortcut!(TextFields, SendTextIn, "SendText");
shortcut!(LocationFields, SendLocationIn, "SendLocation");
shortcut!(ContactFields, SendContactIn, "SendContact");
