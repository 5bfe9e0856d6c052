include $(sort $(wildcard $(BR2_EXTERNAL_PLENUM_PATH)/package/*/*.mk))
