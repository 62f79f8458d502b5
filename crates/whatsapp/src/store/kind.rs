//! The kinds of rows.

/// A kind of row. The names are stored; a new kind gets a new name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Retry collisions: (address, message).
    BaseKey,
    /// This device's identity and counters. One row.
    Device,
    /// A user's devices.
    DeviceList,
    /// What the library keeps of a group.
    GroupMetadata,
    /// A remote device's identity key.
    Identity,
    /// The sync key that was stored last. One row.
    LatestSyncKey,
    /// A hidden user's phone number.
    LidMapping,
    /// Secrets of messages, by (chat, sender, message).
    MessageSecret,
    /// Mutation MACs of one collection, bucketed by the first byte of their index.
    MutationMacs,
    /// Inbound messages that were decrypted and not committed yet.
    PendingInbound,
    /// One-time keys, [`PRE_KEYS_PER_ROW`] to a row.
    PreKeys,
    /// Group keys, by (group, sender).
    SenderKey,
    /// Which devices of a group have our key.
    SenderKeyDevices,
    /// Messages that a recipient may ask for again.
    SentMessage,
    /// A Signal session with a remote device.
    Session,
    /// Signed pre-keys.
    SignedPreKey,
    /// Keys of the app state.
    SyncKey,
    /// Versions of the app state's collections.
    SyncVersion,
    /// Privacy tokens.
    TcToken,
}

/// How many one-time keys share a row: about 5 KB.
pub(crate) const PRE_KEYS_PER_ROW: u32 = 50;

impl Kind {
    const ALL: [Self; 19] = [
        Self::BaseKey,
        Self::Device,
        Self::DeviceList,
        Self::GroupMetadata,
        Self::Identity,
        Self::LatestSyncKey,
        Self::LidMapping,
        Self::MessageSecret,
        Self::MutationMacs,
        Self::PendingInbound,
        Self::PreKeys,
        Self::SenderKey,
        Self::SenderKeyDevices,
        Self::SentMessage,
        Self::Session,
        Self::SignedPreKey,
        Self::SyncKey,
        Self::SyncVersion,
        Self::TcToken,
    ];

    /// The stored name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BaseKey => "base_key",
            Self::Device => "device",
            Self::DeviceList => "device_list",
            Self::GroupMetadata => "group_metadata",
            Self::Identity => "identity",
            Self::LatestSyncKey => "latest_sync_key",
            Self::LidMapping => "lid_mapping",
            Self::MessageSecret => "message_secret",
            Self::MutationMacs => "mutation_macs",
            Self::PendingInbound => "pending_inbound",
            Self::PreKeys => "pre_keys",
            Self::SenderKey => "sender_key",
            Self::SenderKeyDevices => "sender_key_devices",
            Self::SentMessage => "sent_message",
            Self::Session => "session",
            Self::SignedPreKey => "signed_pre_key",
            Self::SyncKey => "sync_key",
            Self::SyncVersion => "sync_version",
            Self::TcToken => "tc_token",
        }
    }

    /// The kind and the key of a sort key that [`sort_key`] made.
    pub(crate) fn parse(sort: &str) -> Option<(Self, &str)> {
        let (name, key) = sort.split_once('/')?;
        Self::ALL.into_iter().find(|kind| kind.name() == name).map(|kind| (kind, key))
    }
}

/// Where a row stands inside its session.
pub(crate) fn sort_key(kind: Kind, key: &str) -> String {
    format!("{}/{key}", kind.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sort_key_reads_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(&sort_key(kind, "a/b")), Some((kind, "a/b")));
        }
        assert_eq!(Kind::parse("0header"), None);
    }
}
