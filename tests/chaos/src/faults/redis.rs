//! What happens to Redis: one server, or a cluster.

use shared::cluster::SLOTS;
use support::{RedisCluster, RedisServer};
use tokio::time::sleep;

use super::{Fault, SLOTS_AT_ONCE, Scene, millis};

impl Fault {
    pub(super) async fn befall_redis(self, redis: &RedisServer, scene: &Scene) {
        match self {
            Fault::RedisKilled => {
                redis.kill();
                sleep(millis(100..4_000)).await;
                redis.restart().await;
            }
            Fault::RedisPaused => {
                redis.pause();
                sleep(millis(200..9_000)).await;
                redis.resume();
            }
            Fault::RedisFlushed => {
                redis.command(&["FLUSHALL"]).await;
                scene.world.record.lost();
            }
            _ => {
                let copy = scene.copy.lock().await.take().filter(|_| self == Fault::RedisOlder);
                redis.kill();
                scene.world.record.lost();
                redis.replace_files(copy.as_ref());
                sleep(millis(0..2_000)).await;
                redis.restart().await;
            }
        }
    }

    /// Replication is asynchronous: a replica that takes over may lack the last entries.
    pub(super) async fn befall_cluster(self, cluster: &RedisCluster, scene: &Scene) {
        let masters = cluster.masters().await;
        let Some(&master) = fastrand::choice(&masters) else { return };
        match self {
            Fault::MasterKilled => {
                master.kill();
                scene.world.record.lost();
                // With and without an election in between.
                sleep(millis(100..8_000)).await;
                master.restart().await;
            }
            Fault::MasterPaused => {
                scene.world.record.lost();
                master.pause();
                sleep(millis(200..9_000)).await;
                master.resume();
            }
            Fault::MasterFlushed => {
                master.command(&["FLUSHALL"]).await;
                scene.world.record.lost();
            }
            Fault::MasterReplaced => cluster.fail_over_to(cluster.replica_of(master).await).await,
            Fault::SlotsMoved => {
                let Some(&target) = fastrand::choice(&masters) else { return };
                let first = fastrand::u16(..SLOTS - SLOTS_AT_ONCE);
                cluster.reshard(first..first + SLOTS_AT_ONCE, target).await;
            }
            _ => {
                let replica = cluster.replica_of(master).await;
                master.kill();
                replica.kill();
                scene.world.record.lost();
                sleep(millis(500..6_000)).await;
                master.restart().await;
                replica.restart().await;
            }
        }
    }
}
