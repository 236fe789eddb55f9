-- ?1 epoch, ?2 new epoch
UPDATE record SET epoch = ?2 WHERE epoch = ?1
