//! Who is named in a payload.

use serde::{Deserialize, Serialize};

use crate::{Jid, Lid, PhoneNumber};

/// A person, group or channel with every address that is known for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The canonical address: the phone number where it is known, else the hidden user.
    pub jid: Jid,
    /// The phone number, where it is known.
    pub phone: Option<PhoneNumber>,
    /// The hidden user, where it is known.
    pub lid: Option<Lid>,
    /// The name that the person gave, where it is known.
    pub name: Option<String>,
}

impl Person {
    /// From one address, with nothing else known.
    pub fn from_jid(jid: Jid) -> Self {
        Self { phone: jid.phone().cloned(), lid: jid.lid().cloned(), name: None, jid }
    }

    /// From the addresses that came with a stanza. One of them keys the chat: the phone number where it is known, or
    /// phone number and hidden user would split one conversation in two.
    pub fn canonical(jid: Jid, other: Option<Jid>) -> Self {
        let phone = [Some(&jid), other.as_ref()].into_iter().flatten().find_map(|jid| jid.phone().cloned());
        let lid = [Some(&jid), other.as_ref()].into_iter().flatten().find_map(|jid| jid.lid().cloned());
        let jid = match &phone {
            Some(number) if jid.is_person() => Jid::Phone(number.clone()),
            _ => jid,
        };
        Self { jid, phone, lid, name: None }
    }

    /// Whether both are the same, by any address that is known of both.
    pub fn is(&self, other: &Self) -> bool {
        let by_phone = self.phone.is_some() && self.phone == other.phone;
        let by_lid = self.lid.is_some() && self.lid == other.lid;
        self.jid == other.jid || by_phone || by_lid
    }

    /// The same person with a name.
    pub fn named(mut self, name: Option<String>) -> Self {
        self.name = name;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_hidden_user_are_one_chat() {
        let number = Jid::parse("15550001111@s.whatsapp.net").unwrap();
        let lid = Jid::parse("900000000000001@lid").unwrap();
        let one = Person::canonical(number.clone(), Some(lid.clone()));
        assert_eq!(one, Person::canonical(lid.clone(), Some(number.clone())));
        assert_eq!(one.jid, number);
        assert_eq!(Person::canonical(lid.clone(), None).jid, lid);
        let other = Person::from_jid(Jid::parse("15550002222@s.whatsapp.net").unwrap());
        assert!(one.is(&Person::from_jid(lid)) && one.is(&Person::from_jid(number)) && !one.is(&other));
    }
}
