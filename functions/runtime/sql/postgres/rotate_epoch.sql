-- $1 epoch, $2 new epoch
UPDATE bellwire.record SET epoch = $2 WHERE epoch = $1
