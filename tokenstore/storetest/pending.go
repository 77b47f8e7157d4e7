package storetest

var providerTokenTests []test
var providerTokenQueryTests []test
var leaseTests []test
var outboxTests []test
var signingKeyTests []test
var tokenIDTests []test
var maintainTests []test
var inputTests []test
var clockTests []test
var stormTests []test
var modelTests []test
