SELECT epoch FROM record
