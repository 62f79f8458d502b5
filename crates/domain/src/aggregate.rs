//! The two macros that keep stored names explicit and aggregates free of repetition.

/// Declares the events of one aggregate: each variant with the type name and the version under which it is stored.
///
/// The stored form of an event is `{"type": …, "version": …, "data": …}`; the enum itself serialises `type` and `data`,
/// the version is written next to them by the journal (see [`cqrs_es::DomainEvent::event_version`]).
macro_rules! events {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident($data:ty) = $stored:literal v $version:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type", content = "data")]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $stored)] $variant($data)),+
        }

        impl $name {
            /// Every stored type of this aggregate with its current version.
            pub const STORED: &'static [(&'static str, &'static str)] = &[$(($stored, $version)),+];
        }

        impl cqrs_es::DomainEvent for $name {
            fn event_type(&self) -> String {
                match self { $(Self::$variant(_) => $stored),+ }.to_owned()
            }
            fn event_version(&self) -> String {
                match self { $(Self::$variant(_) => $version),+ }.to_owned()
            }
        }

        $(impl From<$data> for $name {
            fn from(data: $data) -> Self { Self::$variant(data) }
        })+
    };
}

/// Connects a pure `decide` and `apply_event` to the `cqrs-es` trait. `handle` only writes each event to the sink,
/// which also applies it.
macro_rules! aggregate {
    ($aggregate:ty, $type:literal, $command:ty, $event:ty, $error:ty) => {
        impl cqrs_es::Aggregate for $aggregate {
            const TYPE: &'static str = $type;
            type Command = $command;
            type Event = $event;
            type Error = $error;
            type Services = ();

            async fn handle(
                &mut self,
                command: Self::Command,
                _services: &Self::Services,
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in self.decide(command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                self.apply_event(event);
            }
        }
    };
}
