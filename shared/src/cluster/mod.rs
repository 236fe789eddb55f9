//! Which server holds a key: the configured address, the hash slots of a Redis Cluster, and the map
//! from slots to servers. One server and Sentinel are the case in which one server has every slot.

mod address;
mod slot;
mod slot_map;

pub use address::{AddressError, Kind, RedisAddress};
pub use slot::{SLOTS, slot_of};
pub use slot_map::{Server, SlotMap};
