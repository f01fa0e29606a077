//! The living cluster of `make demo SCENARIO=ci`.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use nomad_simulator::{BuildDay, Settings, SharedCluster, Simulator, Story, Version};

/// Serves the cluster after so many minutes of its hour, which goes on by the real clock. A minute of it takes this long.
pub(crate) async fn play(minute: Duration, passed: u32) -> Simulator {
    let settings = Settings {
        start: SystemTime::now() - passed * minute,
        // What CircleCI server 4.10 runs.
        version: Version::new(1, 11, 3),
        servers: 5,
        ..Settings::default()
    };
    let (mut cluster, mut day) = BuildDay::new(settings, minute);
    day.advance(&mut cluster, passed * minute);
    let cluster: SharedCluster = Arc::new(Mutex::new(cluster));
    let (clock, mut last) = (Arc::downgrade(&cluster), Instant::now());
    std::thread::spawn(move || {
        // It ends with the server.
        while let Some(cluster) = clock.upgrade() {
            let elapsed = last.elapsed();
            last += elapsed;
            day.advance(&mut cluster.lock().unwrap(), elapsed);
            drop(cluster);
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    Simulator::start(cluster.into()).await.unwrap()
}
