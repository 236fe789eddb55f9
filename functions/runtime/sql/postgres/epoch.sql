SELECT epoch FROM bellwire.record
